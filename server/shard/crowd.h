/* server/shard/crowd.h - the queue of outboxes that take long, and whose messages wait while it is long.
 *
 * A shard serves them in slices, so that others have their turn (server/connection/flush.h); so more may be published
 * than is sent. Then more would only make outboxes longer, and who publishes is paused: not read, so that TCP tells its
 * client to wait. A pass, in which each that stands in the queue has its turn, may take CROWD_LATE_MS; until it is
 * through, those wait who publish to crowds. Outboxes that had their turn may have CROWD_LEFT_BYTES_MAX left, together;
 * until they have less, whoever publishes waits. Backends are answered 503 when either lasts for CROWD_OVERLOAD_MS.
 * Threads: each function is the shard's own; how many shards are behind is shared by all. */
#pragma once

#include "server/shard/shard.h"

#include <stdbool.h>
#include <stdint.h>

#define CROWD_READERS_MIN    512           /* who get the same, from which on they are a crowd; */
#define CROWD_BYTES_MIN      (1024 * 1024) /* or fewer, who get more than this together */
#define CROWD_LATE_MS        20
#define CROWD_LEFT_BYTES_MAX (32 * 1024 * 1024)

struct message;

/* Do so many readers make a crowd, of whom each gets so many bytes? */
static inline bool crowd_is_one(uint64_t readers, uint32_t bytes)
{
    return readers >= CROWD_READERS_MIN || readers * bytes > CROWD_BYTES_MIN;
}

/* The slots that stand in it, in their order. */
static inline const struct slot_queue *crowd_queue(const struct shard *shard)
{
    return &shard->crowd.queue;
}

/* When the first of them is due. UINT64_MAX: there is none. */
static inline uint64_t crowd_due_ms(const struct shard *shard)
{
    return shard->crowd.queue.count > 0 ? shard->crowd.due_ms : UINT64_MAX;
}

/* Puts the slot behind the others. false: it is full. Runs for each delivery. */
static inline bool crowd_add(struct shard *shard, uint32_t slot, uint64_t due_ms)
{
    if (due_ms < crowd_due_ms(shard)) shard->crowd.due_ms = due_ms;
    return slot_queue_add(&shard->crowd.queue, slot);
}

/* Takes the slot at the front of the queue, which is not empty. */
uint32_t crowd_take(struct shard *shard);
/* The outbox of a slot that was taken has so many bytes left, which its socket would take, and stands in the queue
 * again. */
void crowd_left(struct shard *shard, uint64_t bytes);
/* At the end of a flush: is this shard behind? */
void crowd_judge(struct shard *shard);
/* Once a turn: is any shard behind? */
void crowd_look(struct shard *shard);
/* The shard ends. */
void crowd_give_up(struct shard *shard);

/* Is whoever publishes this message to be paused? */
bool crowd_must_wait(struct shard *shard, const struct message *message);
