/* server/connection/flush_chunk.h - the sends of one submit, and what is put off until then.
 *
 * Threads:   the shard's.
 * Ownership: shard->flush.chunk, from flush_chunk_new() to flush_chunk_free(). */
#pragma once

#include "net/ring.h"

#include <stdbool.h>
#include <stdint.h>

#define CHUNK_SENDS         256 /* in one submit: enough to hide its cost, few enough to stay in the caches */
#define CHUNK_ENDS_QUEUED   256 /* ends put off while sends are queued, */
#define CHUNK_ENDS          (CHUNK_ENDS_QUEUED + CHUNK_SENDS) /* and one more for each send that was queued */
#define CHUNK_SCRATCH_BYTES (1024 * 1024)                     /* for joined sends of one chunk */

struct shard;

struct flush_send {
    uint32_t slot;
    uint32_t asked; /* bytes */
    int32_t result; /* bytes sent, or -errno */
    const uint8_t
        *sealed; /* of a secure connection: what is sent, which its outbox does not hold any more; else NULL */
};

enum flush_end_kind {
    FLUSH_TOO_SLOW,     /* more waits for it than may */
    FLUSH_MESSAGE_LOST, /* for want of memory */
    FLUSH_NOT_SEALED,   /* for want of memory: nothing more can be said */
    FLUSH_IS_EMPTY,     /* WATCHED, and nothing is left to send */
};

struct flush_end {
    uint32_t slot;
    enum flush_end_kind kind;
};

struct flush_chunk {
    uint32_t count;
    uint32_t ends_count;
    uint32_t scratch_used;
    uint64_t bytes; /* that its sends ask for */
    struct flush_send sends[CHUNK_SENDS];
    struct send_failure failures[CHUNK_SENDS];
    struct flush_end ends[CHUNK_ENDS];
    uint8_t scratch[CHUNK_SCRATCH_BYTES];
};

/* NULL: out of memory. */
struct flush_chunk *flush_chunk_new(void);
uint64_t flush_chunk_bytes(void);
void flush_chunk_free(struct flush_chunk *chunk);

/* Are sends queued that were not submitted yet? Outboxes must stay as they are then. For assertions. */
bool flush_is_queueing(const struct shard *shard);
