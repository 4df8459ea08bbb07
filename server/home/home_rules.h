/* server/home/home_rules.h - other rules of history, while channels are there.
 *
 * Threads: the home shard. */
#pragma once

struct shard;

/* Between turns: the patterns of shard->options are others than the shard's. Each channel goes by the one that fits it
 * now. What a channel kept that is to keep nothing any more is forgotten, and nobody who comes back later is told that
 * it missed nothing. Whether a channel is durable is as before. Looks at every channel of this home. */
void home_take_rules(struct shard *shard);
