/* core/receipts.h - what was published with a key, so that the same key is answered like the first time.
 *
 * A key is the publisher's own name for a message, and counts in its channel only. Its first letter says whose it is,
 * a backend's or a client's, so that neither can use up the other's. While the first publish is still under way its
 * receipt is open, and those who repeat it wait in its list.
 * Threads:   one shard.
 * Ownership: texts are copied; who waits (struct query) is only linked.
 * Bounds:    half of receipts_max, rounded up, for each kind of owner, then its oldest closed one makes room;
 *            RECEIPT_MS, then it is forgotten. Open ones stay. */
#pragma once

#include "core/name.h"
#include "core/position.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define RECEIPT_MS            (10 * 60 * 1000)
#define RECEIPT_KEY_BYTES_MAX 65 /* whose it is, a letter, and what it is called */

enum receipt_owner { RECEIPT_OF_BACKEND, RECEIPT_OF_CLIENT, RECEIPT_OWNERS_MAX };

#define RECEIPT_LETTER_BACKEND 'b'
#define RECEIPT_LETTER_CLIENT  'c'

static inline enum receipt_owner receipt_owner_of(struct text key)
{
    return key.count > 0 && key.at[0] == RECEIPT_LETTER_CLIENT ? RECEIPT_OF_CLIENT : RECEIPT_OF_BACKEND;
}

/* How many of each kind are remembered, of so many in all. */
static inline uint32_t receipts_share(uint32_t receipts_max)
{
    return receipts_max / 2 + receipts_max % 2;
}

struct query;
struct receipts;

struct receipt {
    TAILQ_ENTRY(receipt) entry; /* by age */
    struct receipt *next;       /* in the table */
    uint64_t hash;
    uint64_t opened_ms;
    struct position position; /* where the message stands; not set: its channel keeps no history */
    bool is_open;
    enum receipt_owner owner;
    struct query *waiting; /* while it is open: who repeats */
    uint16_t app;
    uint16_t channel_bytes;
    uint16_t key_bytes;
    char texts[]; /* channel, key */
};

/* NULL: out of memory. */
struct receipts *receipts_new(uint32_t receipts_max);
/* Accepts NULL. */
void receipts_free(struct receipts *receipts);

/* NULL: this key was not there, or is forgotten by now. */
struct receipt *receipts_find(struct receipts *receipts, const struct name *channel, struct text key,
                              uint64_t now_ms);
/* Opens the receipt of a key that is not there. NULL: out of memory, or as many as its owner may have are open. */
struct receipt *receipts_open(struct receipts *receipts, const struct name *channel, struct text key,
                              uint64_t now_ms);
/* Restores a receipt that was closed in another life of the server; does nothing without memory, or if it is older than
 * all that may be remembered. To be called for one after the other, those of an owner from the oldest on, with cursors
 * that are NULL at first. */
void receipts_restore(struct receipts *receipts, const struct name *channel, struct text key, uint64_t opened_ms,
                      const struct position *position, struct receipt *cursors[RECEIPT_OWNERS_MAX]);
/* The message of an open receipt was published, at that position. */
void receipt_close(struct receipt *receipt, const struct position *position);
/* The message of an open receipt was not published: forgets the receipt. */
void receipts_forget(struct receipts *receipts, struct receipt *receipt);

uint32_t receipts_count(const struct receipts *receipts);
