/* core/message.h - one published payload, encoded once as a frame and shared by all who will read it.
 *
 * Threads:   made by one shard, read by many; never changed once a second shard can see it.
 * Ownership: one reference for each shard or letter that holds it, counted atomically; inside a shard the batches
 *            (core/batch.h) count for themselves. Whoever drops the last reference frees it, on whatever thread.
 * Memory:    one block: this struct, the channel's name, the frame. */
#pragma once

#include "core/name.h"

#include <stdint.h>

struct counters;

/* Which connection published a message. Slots are used again, hence the life. */
struct publisher {
    uint32_t shard;
    uint32_t slot;
    uint32_t life;
    bool is_excluded; /* it does not get its own message back */
};

struct message {
    uint32_t references; /* atomic */
    uint32_t frame_bytes;
    struct publisher publisher;
    struct name channel; /* text stands behind the struct */
    uint8_t *frame;      /* header and payload, as they go to the socket; stands behind the name */
};

/* Makes a message for a channel with room for a frame, which the caller then writes. The caller holds the one
 * reference. frame_bytes may be 0: a letter that only needs to say a channel's name carries such a message.
 * NULL: out of memory. */
struct message *message_new(struct counters *counters, const struct name *channel, uint32_t frame_bytes);

/* Adds references, for instance before letters are sent to that many shards. The caller holds one already. */
void message_hold(struct message *message, uint32_t references);

/* Drops one reference; the last frees. */
void message_drop(struct counters *counters, struct message *message);
