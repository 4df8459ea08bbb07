/* core/batch.h - bytes that leave together, shared by the connections of one shard that will send them.
 *
 * What a channel got in one turn becomes one batch (one message's frame, or several joined), whatever the number of
 * its subscribers; an answer to one connection is a batch of its own.
 * Threads:   one shard; references are plain numbers.
 * Ownership: whoever makes a batch holds one reference, each outbox entry another. The last drop frees it. */
#pragma once

#include "core/form.h"

#include <stdbool.h>
#include <stdint.h>

struct counters;
struct message;

struct batch {
    const uint8_t *bytes;
    uint32_t count;
    uint32_t references;
    uint32_t frames : 31;    /* messages in it, for the count of deliveries; 0 for answers and control frames */
    uint32_t is_control : 1; /* a ping or pong, which goes ahead of messages */
    uint32_t published_us;   /* when its oldest message was made, see struct message; 0: not known, or no message */
    uint64_t made_ms;        /* when, on the shard's clock: how old an outbox is */
    struct message *message; /* whose frame the bytes are; NULL: they stand behind the struct, or are static */
};

/* Shares a message's frame of that form. Takes over the caller's reference to the message. NULL: out of memory, nothing
 * taken. */
struct batch *batch_of_message(struct message *message, enum form form, uint64_t now_ms);

/* Shares bytes that live as long as the program. NULL: out of memory. */
struct batch *batch_of_static(const void *bytes, uint32_t count, uint64_t now_ms);

/* Room for `count` bytes, which the caller writes through *bytes_r before anyone else sees the batch. */
struct batch *batch_new(uint32_t count, uint64_t now_ms, uint8_t **bytes_r);

static inline void batch_hold(struct batch *batch)
{
    batch->references++;
}

void batch_free(struct counters *counters, struct batch *batch); /* by batch_drop() only */

static inline void batch_drop(struct counters *counters, struct batch *batch)
{
    if (--batch->references == 0) batch_free(counters, batch);
}
