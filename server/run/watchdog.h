/* server/run/watchdog.h - notices a shard that stands still, and says what it did last.
 *
 * A thread of its own looks at all shards several times within --watchdog-ms. One whose turn takes longer is told in
 * the log once, with its last events, and once more when it goes on; COUNTER_turns_stuck counts them. So is one that
 * does not wake up from a sleep in time.
 * As long as all turns go on it says so to the service manager, if that wants to hear it (server/system/notify.h).
 * What the whole machine is at fault for (a stopped process, a suspended machine) is not counted: time in which the
 * watchdog did not get to look either says nothing about a shard.
 * Threads:   the main thread starts, stops and frees; shards notice nothing of it. */
#pragma once

#include "core/counters.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shard;
struct watchdog;

/* Watches shards whose threads have been started. *watchdog_r is NULL when limit_ms is 0, unless the service manager
 * wants to hear that all is well: then half of its time is the limit. On error reason_r says why. */
enum rc watchdog_start(struct watchdog **watchdog_r, const struct shard *shards, uint32_t shards_count,
                       uint64_t limit_ms, char *reason_r, size_t reason_size);
/* Ends the thread, after those of the shards; the counters stay. Accepts NULL. */
void watchdog_stop(struct watchdog *watchdog);
/* Frees a watchdog that was stopped. Accepts NULL. */
void watchdog_free(struct watchdog *watchdog);
const struct counters *watchdog_counters(const struct watchdog *watchdog);

/* Below: what the thread does, for tests. */

/* Makes a watchdog without a thread. NULL: out of memory. */
struct watchdog *watchdog_new(const struct shard *shards, uint32_t shards_count, uint64_t limit_ms, uint64_t now_ms);
/* How long it rests between two looks. */
uint32_t watchdog_period_ms(const struct watchdog *watchdog);
void watchdog_look(struct watchdog *watchdog, uint64_t now_ms);
/* Did all turns go on, as far as the last look knows? */
bool watchdog_all_is_well(const struct watchdog *watchdog);
