/* server/drain.h - the end of a shard: nobody is let in, all are told goodbye (close 1001), a slice each turn. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct shard;

/* Once a turn while the server drains. False: every connection of every shard has ended, or the time is over. */
bool drain_go_on(struct shard *shard);

/* How long a draining shard may sleep: 0 while there are connections to be told. */
uint64_t drain_sleep_ms(const struct shard *shard);
