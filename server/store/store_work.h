/* server/store/store_work.h - what the store's thread does: jobs by transactions, and what comes up between them. Knows
 * no shards and no queues. Threads: the store's, but for what says otherwise. */
#pragma once

#include "core/counters.h"
#include "core/rc.h"
#include "server/system/day_clock.h"

#include <stdint.h>

struct store_job;
struct store_log;

struct store_work {
    struct store_log *log;
    struct counters counters;      /* any thread may read */
    _Atomic(const char *) trouble; /* any thread may read; NULL: none */
    struct day_clock day_clock;
    uint64_t unmeasured_bytes; /* of frames that were written since it was last asked whether it is full */
    uint64_t sweep_at_ms;      /* monotonic, as is: */
    uint64_t look_at_ms;       /* while there is none */
    uint64_t probe_at_ms;      /* while there is trouble */
};

/* Does as many of the jobs, in their order, as fit into one transaction: all of them reads, or none. Returns how many,
 * at least one: these have their answers, whatever came of it. */
uint32_t store_work_run(struct store_work *work, struct store_job *const *jobs, uint32_t count);

/* Between transactions: forgets what has expired, looks whether the files are there, tries whether trouble is
 * over. Takes milliseconds. */
void store_work_upkeep(struct store_work *work);
/* How long upkeep may wait to be called again when there is no job. */
int store_work_sleep_ms(const struct store_work *work);
