/* server/connection/flush_queue.h - which outboxes have something to say, and in what order they get their turn. */
#pragma once

#include <stdint.h>

#define FLUSH_LONG_BYTES (64 * 1024) /* what is longer is served as a crowd is */

struct shard;

/* Puts the outbox on the list of those to flush this turn. */
void flush_later(struct shard *shard, uint32_t slot);
/* Puts the outbox of one of many readers into the queue of those to flush when others have had their turn, and after
 * coalesce_ms. */
void flush_later_in_crowd(struct shard *shard, uint32_t slot);
/* Puts an outbox that takes long into the queue of those to flush when others have had their turn, without
 * coalesce_ms. */
void flush_later_behind(struct shard *shard, uint32_t slot);
