/* server/control/trail.h - what shards tell of a channel that an operator follows (server/shard/follow.h), kept until
 * it is asked for: the commands trace channel and trace user.
 *
 * The first question begins a trail; the next ones, with its number and how far one has come, get what was told since.
 * There is one at a time, and none any more when nobody has asked for TRAIL_MS.
 * Bounds:    TRAIL_LINES_MAX lines; then the oldest are left out, and counted.
 * Threads:   the control shard's. */
#pragma once

struct query;
struct shard;

#define TRAIL_MS        5000
#define TRAIL_LINES_MAX 1024

/* From a shard: a step. Takes over the query. */
void trail_take(struct shard *shard, struct query *query);
/* Once a turn: ends the trail that nobody asks for any more. */
void trail_look(struct shard *shard);
/* The shard has ended. */
void trail_free(struct shard *shard);
