/* server/run/turn.h - one pass of a shard's loop; top to bottom it is the life of a message. */
#pragma once

#include <stdbool.h>

#define TRIM_MS           10000 /* between two passes of core/trim.h */
#define TURN_SLEEP_MS_MAX 1000  /* even if there is nothing to do */

struct shard;

/* Sleeps until there is something to do, and does it. False: the shard is to end. */
bool turn_run(struct shard *shard);
