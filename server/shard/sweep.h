/* server/shard/sweep.h - work that goes over everything a shard has, all channels or all connections: a piece of it in
 * each turn, so that nobody waits for it.
 *
 * One sweep has its piece in a turn, then the next has one. What is small is over at once, when no other is under way.
 * Ownership: whoever begins a sweep; it stays where it is until its end, which may free it.
 * Threads:   the shard's. */
#pragma once

#include "server/shard/sweep_list.h"

#include <stdbool.h>

struct shard;

#define SWEEP_LOOKS 1024 /* channels in a piece: a tenth of a millisecond, when each is a cache miss or two */

/* Step and end are set. */
void sweep_begin(struct shard *shard, struct sweep *sweep);
/* Once a turn. */
void sweeps_go_on(struct shard *shard);
/* The server ends. */
void sweeps_end(struct shard *shard);
/* Is one under way? Then the next turn comes at once. */
bool sweeps_wait(const struct shard *shard);
