/* server/cluster/redis_master.h - which server is the master now: the one that was named, or whom Sentinels name.
 *
 *     redis_master_run(master, now);                    in each round, at least every 100 ms
 *     if (redis_master_place(master, &place)) ...       connect there; when it becomes another one, all connections to
 *                                                       the former are to be closed
 *
 * All Sentinels are asked, twice a second; of their last answers that with the highest config epoch counts. A master
 * that was cut off and is back is so given up when the first Sentinel that we reach knows better, whatever it says of
 * itself. The last answer of a Sentinel that is away goes on to count.
 * Threads: one. Looks names up, which waits.
 * Bounds:  REDIS_PLACES_MAX connections, one question under way on each.
 * Source:  https://redis.io/docs/latest/develop/reference/sentinel-clients/, SENTINEL MASTER. */
#pragma once

#include "server/cluster/redis_target.h"
#include "server/config/redis_url.h"

#include <stdbool.h>
#include <stdint.h>

struct redis_access;
struct redis_master;

/* `url`: alone or Sentinel, copied; `name` as in redis_target; `access` outlives it, and is for the Sentinels, too.
 * silent_ms_max: after so long a Sentinel counts as gone, and is tried again. NULL: out of memory. Free takes
 * NULL. */
struct redis_master *redis_master_new(const struct redis_url *url, const char *name,
                                      const struct redis_access *access, uint64_t silent_ms_max);
void redis_master_free(struct redis_master *master);

/* Sends, receives, connects anew. `chance` is any random number. */
void redis_master_run(struct redis_master *master, uint64_t now_ms, uint64_t chance);
/* False: nobody has named one yet. */
bool redis_master_place(const struct redis_master *master, struct redis_place *place_r);
/* Why there is no answer, for logs: the last reason of a Sentinel; "" if there is none. Until the next run. */
const char *redis_master_reason(const struct redis_master *master);
