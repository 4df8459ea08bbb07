/* core/outbox.h - what one connection has still to send: batches, oldest first, and how far the oldest has gone.
 *
 * Small, because every delivery touches one and a shard has as many as connections: the usual outbox is empty or
 * holds one batch for the rest of the turn. Entries behind the first live in a list that exists while needed.
 * Threads:   one shard.
 * Ownership: an entry holds one reference to its batch.
 * Bounds:    kept by the caller, who reads outbox_behind_bytes() and outbox_made_ms() and closes the connection. */
#pragma once

#include "core/batch.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>

#define OUTBOX_CONTROLS_MAX 64

struct outbox_rest;

struct outbox {
    struct batch *first;      /* NULL: empty */
    struct outbox_rest *rest; /* the batches behind the first; NULL: none */
    uint64_t bytes;           /* unsent, over all entries */
    uint32_t first_sent;      /* bytes of the first that are gone already */
    uint16_t controls;        /* control frames among the first entries */
    uint16_t marks;           /* the owner's, untouched here: what it must know of the connection in a fan-out */
};

static inline bool outbox_is_empty(const struct outbox *outbox)
{
    return outbox->first == NULL;
}

/* RC_ENOMEM: not taken, nothing changed. */
enum rc outbox_append_behind(struct outbox *outbox, struct batch *batch); /* by outbox_append() only */

/* Puts a batch at the end. */
static inline enum rc outbox_append(struct outbox *outbox, struct batch *batch)
{
    if (outbox->first != NULL) return outbox_append_behind(outbox, batch);
    batch_hold(batch);
    outbox->first = batch;
    outbox->bytes = batch->count;
    return RC_OK;
}

/* Puts a control frame (RFC 6455 5.5) ahead of all messages that have not begun, behind earlier control frames. When
 * OUTBOX_CONTROLS_MAX wait already, it takes the place of the newest: of several pings only the last needs an answer
 * (RFC 6455 5.5.3). RC_ENOMEM: not taken. */
enum rc outbox_append_control(struct outbox *outbox, struct counters *counters, struct batch *batch);

/* How many batches. */
uint32_t outbox_count(const struct outbox *outbox);

/* Copies unsent bytes, oldest first, whole batches only (but the rest of a partly sent first), until the next does
 * not fit in `room`; returns how many bytes. 0 when even the first does not fit: send it from its own memory. */
size_t outbox_copy(const struct outbox *outbox, uint8_t *to, size_t room);

/* The unsent part of the first batch. */
static inline const uint8_t *outbox_first_bytes(const struct outbox *outbox, size_t *count_r)
{
    *count_r = outbox->first->count - outbox->first_sent;
    return outbox->first->bytes + outbox->first_sent;
}

/* `count` bytes have gone: drops what is sent whole. */
void outbox_advance(struct outbox *outbox, struct counters *counters, uint64_t count);

/* Bytes that wait behind the batch being sent: what a slow reader is measured by. */
static inline uint64_t outbox_behind_bytes(const struct outbox *outbox)
{
    return outbox->first == NULL ? 0 : outbox->bytes - (outbox->first->count - outbox->first_sent);
}

/* When the oldest unsent batch was made. The outbox is not empty. */
static inline uint64_t outbox_made_ms(const struct outbox *outbox)
{
    return outbox->first->made_ms;
}

/* Drops everything but the marks; with keep_begun, all but a first batch of which some bytes have gone, so that
 * frames stay whole.
 */
void outbox_clear(struct outbox *outbox, struct counters *counters, bool keep_begun);
