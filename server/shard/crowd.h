/* server/shard/crowd.h - whose messages wait while crowds are behind.
 *
 * A shard serves a crowd in slices (server/connection/flush.h). Is it not through for CROWD_LATE_MS, then more for
 * crowds would only make outboxes longer: until no shard is late, whoever publishes to a crowd is not read, and TCP
 * tells it to wait; what goes to a few passes. Backends are answered 503 when that lasts for CROWD_OVERLOAD_MS.
 * Threads: each function is the shard's own; the number of shards that are late is shared by all. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CROWD_READERS_MIN 512           /* who get the same, from which on they are a crowd; */
#define CROWD_BYTES_MIN   (1024 * 1024) /* or fewer, who get more than this together */
#define CROWD_LATE_MS     20
#define CROWD_OVERLOAD_MS 1000

struct message;
struct shard;

/* At the end of a flush: is this shard late, or not any more? */
void crowd_judge(struct shard *shard);
/* Once a turn: what is known of all shards. */
void crowd_look(struct shard *shard);
/* The shard ends. */
void crowd_give_up(struct shard *shard);

/* Is a shard late, and the message for a crowd? Then its publisher is to be paused. */
bool crowd_must_wait(struct shard *shard, const struct message *message);
