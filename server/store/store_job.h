/* server/store/store_job.h - what a home asks the durable log, and the answer.
 *
 * Whose it is and when it comes back: see server/store/store.h. Threads: whoever has the job. */
#pragma once

#include "core/position.h"
#include "core/rc.h"
#include "core/receipts.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct counters;
struct history_rule;
struct message;
struct name;

enum store_job_kind {
    STORE_APPEND, /* keep this message */
    STORE_LOSS,   /* something is not kept: see whole_from */
    STORE_READ,   /* which messages are there? */
};

/* What was published with a key, and where it went. */
struct store_key {
    char text[RECEIPT_KEY_BYTES_MAX + 1]; /* terminated */
    uint64_t offset;
    uint64_t time_ms;
};

struct store_job {
    enum store_job_kind kind;
    const char *app;                 /* its id; the channel is that app's. This and the next two live */
    const struct name *channel;      /* until the job is back */
    const struct history_rule *rule; /* of the channel */
    TAILQ_ENTRY(store_job) entry;    /* the asker's */
    uint64_t whole_from;             /* who was not so far missed something that is not kept; READ: an answer */

    /* APPEND: a first message makes the channel. An epoch that is not the one stored replaces it: what was stored
     * under the other one is deleted. Offsets only grow, with or without gaps (an append that failed leaves one).
     * LOSS has the epoch too, and makes nothing: who comes back to a channel that is not stored is told so anyway. */
    struct message *message;             /* has its offset, time and FORM_EVENT; the reference stays the asker's */
    char epoch[EPOCH_BYTES + 1];         /* READ: an answer */
    char key[RECEIPT_KEY_BYTES_MAX + 1]; /* "": none. The same again is one more row: it is the asker's to refuse */

    /* READ: of the messages with since < offset < before, the newest or the oldest that fit; always at least one, if
     * there is one. */
    uint64_t since;
    uint64_t before; /* UINT64_MAX: up to the end */
    uint32_t count_max;
    uint64_t bytes_max;     /* of frames */
    bool is_from_end;       /* the newest, not the oldest */
    bool is_all_or_nothing; /* no messages at all unless all behind `since` are kept */
    uint32_t keys_max;      /* of backends and of clients each, of the last RECEIPT_MS, the newest */

    /* The answer, zeroed by the asker. RC_OK, RC_ENOENT (READ: nothing was ever stored of this channel, or all of it
     * was forgotten, which is when the rule's ttl and RECEIPT_MS have passed since its last message), RC_ESTORE,
     * RC_ENOMEM. The rest is READ's, with RC_OK: */
    enum rc rc;
    uint64_t last;             /* offset of the channel's last message, also when it is not kept any more, */
    uint64_t last_ms;          /* and its time */
    uint64_t first;            /* of the oldest that is kept; last + 1: none is */
    struct message **messages; /* ascending, with the gaps that they were stored with: FORM_EVENT with its position,
                                * offset, time; a reference to each. Which connections published them is not kept */
    uint32_t messages_count;
    struct store_key *keys; /* those of backends, then of clients, in the order of their offsets */
    uint32_t keys_count;

    struct store_job *next; /* this and the rest are the store's */
    uint32_t shard;
};

/* How long a channel is remembered after its last message: as long as its keys at least. */
static inline uint64_t store_remembers_ms(uint64_t ttl_ms)
{
    return ttl_ms > RECEIPT_MS ? ttl_ms : RECEIPT_MS;
}

/* Gives back the answer's messages and keys; what the job was made of stays the caller's. */
void store_job_fini(struct counters *counters, struct store_job *job);
