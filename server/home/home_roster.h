/* server/home/home_roster.h - when a channel's roster has something to do, and when it goes.
 *
 * Threads: the home shard. */
#pragma once

#include <stdbool.h>

struct channel;
struct roster;
struct shard;

#define COUNT_EVERY_MS 5000 /* large channels are told their number of subscribers so often */

/* Has the roster settled at the end of this turn (home_settle()). False: out of memory. */
bool home_settle_later(struct shard *shard, struct roster *roster);
/* Sets a roster's timer for what it has to do next; then home_timer(). */
void home_set_timer(struct shard *shard, struct roster *roster);
/* The channel may be needed by nobody any more; then it goes, and its roster with it. */
void home_drop_if_unused(struct shard *shard, struct channel *channel);
