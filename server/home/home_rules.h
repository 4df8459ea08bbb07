/* server/home/home_rules.h - other rules of history, while channels are there.
 *
 * Threads: the home shard. */
#pragma once

struct config;
struct shard;

/* Between turns: the patterns of shard->options are others than the shard's. Each channel goes by the one that fits it
 * from when its turn has come, in the course of a sweep over this home (server/shard/sweep.h); a new one at once.
 * What a channel kept that is to keep nothing any more is forgotten then, and nobody who comes back later is told that
 * it missed nothing. Whether a channel is durable is as before. The configuration of before is let go when the sweep is
 * over; there is none before that. */
void home_take_rules(struct shard *shard, struct config *before);
