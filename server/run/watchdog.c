/* server/run/watchdog.c - one look after the other at how far each shard has come.
 *
 * Not obvious: a shard's time is counted in looks, not by a clock of the shard's. A look that comes late counts
 * nothing, so however long the process stood still, a shard has to stand still for several looks beside a watchdog that
 * runs. */
#include "server/run/watchdog.h"

#include "core/trace.h"
#include "net/refusal.h"
#include "server/run/black_box.h"
#include "server/run/turn.h"
#include "server/shard/shard.h"
#include "server/system/clock.h"
#include "server/system/log.h"
#include "server/system/notify.h"
#include "server/system/worker.h"

#include <ck_pr.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKS_A_LIMIT 4
#define PERIOD_MS_MAX 1000
#define PERIOD_MS_MIN 5
#define EVENTS_TOLD   64 /* fewer than the lines that the log keeps of a thread */

struct watched {
    uint64_t step;     /* how far it had come at the last look; each turn and each sleep is one */
    uint64_t still_ms; /* for how long it has been there */
    uint64_t cpu_ms;   /* what its thread had used when it came there */
    clockid_t cpu_clock;
    bool has_cpu_clock;
    bool is_told;
};

struct watchdog {
    const struct shard *shards;
    uint32_t shards_count;
    struct watched *watched;
    uint64_t limit_ms;
    uint64_t period_ms;
    uint64_t looked_ms;
    struct counters counters;
    struct worker worker;
};

/* ---- looking ---- */

static uint64_t cpu_ms(const struct watched *watched)
{
    struct timespec used = {0};
    if (!watched->has_cpu_clock || clock_gettime(watched->cpu_clock, &used) != 0) return 0;
    return (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / 1000000;
}

static void say(struct safe_line *line)
{
    log_write(LOG_LEVEL_WARN, "%s", safe_line_end(line));
    line->count = 0;
}

static void tell(struct watchdog *watchdog, const struct shard *shard, struct watched *watched, bool is_resting)
{
    char name[SHARD_NAME_BYTES];
    uint32_t at_hand = ck_pr_load_32(&shard->trace.at_hand);
    uint64_t used_ms = cpu_ms(watched) - watched->cpu_ms;
    watched->is_told = true;
    counter_add(&watchdog->counters, COUNTER_turns_stuck, 1);
    if (!log_is_on(LOG_LEVEL_WARN)) return;
    if (is_resting) {
        log_warn("%s does not wake up: it has slept for %llu ms", shard_name(shard, name),
                 (unsigned long long)watched->still_ms);
    } else {
        log_warn("%s has been in one turn for %llu ms, of which its thread computed for %llu ms",
                 shard_name(shard, name), (unsigned long long)watched->still_ms, (unsigned long long)used_ms);
    }
    if (at_hand > 0) log_warn("it serves connection %u; what it did last:", at_hand - 1);
    if (at_hand == 0) log_warn("it serves no connection; what it did last:");
    black_box_tell_events(shard, EVENTS_TOLD, say);
}

static void tell_end(const struct shard *shard, const struct watched *watched)
{
    char name[SHARD_NAME_BYTES];
    log_warn("%s goes on, after %llu ms", shard_name(shard, name), (unsigned long long)watched->still_ms);
}

static void look_at(struct watchdog *watchdog, const struct shard *shard, struct watched *watched, uint64_t passed_ms)
{
    bool is_resting = ck_pr_load_uint(&shard->is_resting);
    uint64_t step = 2 * counter_get(&shard->counters, COUNTER_turns) + (is_resting ? 1 : 0);
    uint64_t limit_ms = watchdog->limit_ms + (is_resting ? TURN_SLEEP_MS_MAX : 0);
    bool has_ended = ck_pr_load_uint(&shard->has_ended);
    if (step == watched->step && !has_ended) {
        watched->still_ms += passed_ms;
        if (watched->still_ms > limit_ms && !watched->is_told) tell(watchdog, shard, watched, is_resting);
        return;
    }
    if (watched->is_told) {
        watched->still_ms += passed_ms;
        tell_end(shard, watched);
    }
    watched->step = step;
    watched->still_ms = 0;
    watched->is_told = false;
    watched->cpu_ms = cpu_ms(watched);
}

void watchdog_look(struct watchdog *watchdog, uint64_t now_ms)
{
    uint64_t passed_ms = now_ms - watchdog->looked_ms;
    if (passed_ms > 2 * watchdog->period_ms) passed_ms = 0; /* we did not run either */
    watchdog->looked_ms = now_ms;
    for (uint32_t i = 0; i < watchdog->shards_count; i++) {
        look_at(watchdog, &watchdog->shards[i], &watchdog->watched[i], passed_ms);
    }
}

bool watchdog_all_is_well(const struct watchdog *watchdog)
{
    for (uint32_t i = 0; i < watchdog->shards_count; i++) {
        if (watchdog->watched[i].is_told) return false;
    }
    return true;
}

uint32_t watchdog_period_ms(const struct watchdog *watchdog)
{
    return (uint32_t)watchdog->period_ms;
}

const struct counters *watchdog_counters(const struct watchdog *watchdog)
{
    return &watchdog->counters;
}

/* ---- life ---- */

static uint64_t period_of(uint64_t limit_ms)
{
    uint64_t period_ms = limit_ms / LOOKS_A_LIMIT;
    if (period_ms < PERIOD_MS_MIN) return PERIOD_MS_MIN;
    return period_ms < PERIOD_MS_MAX ? period_ms : PERIOD_MS_MAX;
}

struct watchdog *watchdog_new(const struct shard *shards, uint32_t shards_count, uint64_t limit_ms, uint64_t now_ms)
{
    struct watchdog *watchdog = aligned_alloc(_Alignof(struct watchdog), sizeof *watchdog);
    if (watchdog == NULL) return NULL;
    memset(watchdog, 0, sizeof *watchdog);
    watchdog->shards = shards;
    watchdog->shards_count = shards_count;
    watchdog->limit_ms = limit_ms;
    watchdog->period_ms = period_of(limit_ms);
    watchdog->looked_ms = now_ms;
    watchdog->watched = calloc(shards_count, sizeof watchdog->watched[0]);
    if (watchdog->watched == NULL) {
        watchdog_free(watchdog);
        return NULL;
    }
    for (uint32_t i = 0; i < shards_count; i++) {
        struct watched *watched = &watchdog->watched[i];
        watched->has_cpu_clock =
            shards[i].thread.is_there && pthread_getcpuclockid(shards[i].thread.id, &watched->cpu_clock) == 0;
    }
    return watchdog;
}

void watchdog_free(struct watchdog *watchdog)
{
    if (watchdog == NULL) return;
    worker_fini(&watchdog->worker);
    free(watchdog->watched);
    free(watchdog);
}

static void run(void *owner)
{
    struct watchdog *watchdog = owner;
    struct doorbell *doorbell = &watchdog->worker.doorbell;
    while (!worker_is_stopping(&watchdog->worker)) {
        doorbell_lie_down(doorbell);
        if (!worker_is_stopping(&watchdog->worker)) doorbell_wait(doorbell, watchdog_period_ms(watchdog));
        doorbell_get_up(doorbell);
        watchdog_look(watchdog, monotonic_ms());
        if (watchdog_all_is_well(watchdog)) notify_alive();
    }
}

static enum rc start_thread(struct watchdog *watchdog, char *reason_r, size_t reason_size)
{
    if (worker_init(&watchdog->worker) != RC_OK) {
        snprintf(reason_r, reason_size, "watchdog: no descriptor is left: raise RLIMIT_NOFILE");
        return RC_EKERNEL;
    }
    if (worker_start(&watchdog->worker, "watchdog", run, watchdog) == RC_OK) return RC_OK;
    refusal_of_thread("the watchdog", errno, reason_r, reason_size);
    return RC_EKERNEL;
}

enum rc watchdog_start(struct watchdog **watchdog_r, const struct shard *shards, uint32_t shards_count,
                       uint64_t limit_ms, char *reason_r, size_t reason_size)
{
    uint64_t manager_ms = notify_watchdog_ms();
    *watchdog_r = NULL;
    if (limit_ms == 0) limit_ms = manager_ms / 2;
    if (limit_ms == 0) return RC_OK;
    snprintf(reason_r, reason_size, "watchdog: out of memory");
    struct watchdog *watchdog = watchdog_new(shards, shards_count, limit_ms, monotonic_ms());
    if (watchdog == NULL) return RC_ENOMEM;
    if (manager_ms > 0 && watchdog->period_ms > period_of(manager_ms)) watchdog->period_ms = period_of(manager_ms);
    enum rc rc = start_thread(watchdog, reason_r, reason_size);
    if (rc != RC_OK) {
        watchdog_free(watchdog);
        return rc;
    }
    *watchdog_r = watchdog;
    return RC_OK;
}

void watchdog_stop(struct watchdog *watchdog)
{
    if (watchdog != NULL) worker_stop(&watchdog->worker);
}
