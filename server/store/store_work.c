/* server/store/store_work.c - transactions of jobs, trouble, upkeep. */
#include "server/store/store_work.h"

#include "core/message.h"
#include "server/store/store_job.h"
#include "server/store/store_log.h"
#include "server/system/clock.h"
#include "server/system/log.h"

#include <stdatomic.h>

#define WRITE_BYTES_MAX (8 << 20)  /* of frames in one transaction: bounds what it holds in memory */
#define READ_BYTES_MAX  (1 << 20)  /* and what is written next waits for it */
#define SWEEP_MS        60000      /* between a sweep that has found all, and the next */
#define SWEEP_ROWS      1000       /* in one transaction: some milliseconds, between those of jobs */
#define EVICT_ROWS      5000       /* in one transaction, */
#define EVICTIONS_MAX   16         /* of so many in a row: then jobs have their turn */
#define MEASURE_BYTES   (32 << 10) /* of frames, after which to ask whether it is full */
#define LOOK_MS         1000       /* how often to look whether the files are those that were opened */
#define PROBE_MS        1000       /* how often a store in trouble that nobody asks tries whether it is over */

/* ---- trouble: while it lasts nothing waits for another program, for each transaction would wait anew ---- */

static void note_failure(struct store_work *work)
{
    const char *trouble = store_log_trouble(work->log);
    counter_add(&work->counters, COUNTER_store_failures, 1);
    work->probe_at_ms = monotonic_ms() + PROBE_MS;
    store_log_set_patience(work->log, false);
    counter_set(&work->counters, COUNTER_store_refuses, 1);
    if (atomic_exchange(&work->trouble, trouble) == trouble) return; /* told already */
    log_error("durable messages are refused until this is over: %s", store_log_reason(work->log));
}

static void note_success(struct store_work *work)
{
    if (atomic_load(&work->trouble) == NULL) return;
    atomic_store(&work->trouble, NULL);
    counter_set(&work->counters, COUNTER_store_refuses, 0);
    store_log_set_patience(work->log, true);
    log_info("the store works again: durable messages are taken");
}

/* ---- jobs ---- */

static enum rc run_job(struct store_work *work, struct store_job *job, uint64_t now_ms)
{
    switch (job->kind) {
    case STORE_APPEND:
        return store_log_append(work->log, job, now_ms);
    case STORE_LOSS:
        return store_log_lose(work->log, job);
    case STORE_READ:
        return store_log_read(work->log, job, now_ms);
    }
    __builtin_unreachable();
}

static uint64_t job_bytes(const struct store_job *job)
{
    if (job->kind == STORE_APPEND) return job->message->frame_bytes[FORM_EVENT];
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < job->messages_count; i++) {
        bytes += job->messages[i]->frame_bytes[FORM_EVENT];
    }
    return bytes;
}

/* Has one of them been written? A loss of what is not stored writes nothing. */
static bool has_appended(struct store_job *const *jobs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i]->kind == STORE_APPEND && jobs[i]->rc == RC_OK) return true;
    }
    return false;
}

static enum rc commit_measured(struct store_work *work)
{
    uint64_t begun_us = monotonic_us();
    enum rc rc = store_log_commit(work->log);
    histogram_record(&work->counters.histograms[HISTOGRAM_store_commit], monotonic_us() - begun_us);
    return rc;
}

/* Does jobs, in their order, in one transaction; done_r: how many were begun, also when it failed. */
static enum rc run_transaction(struct store_work *work, struct store_job *const *jobs, uint32_t count,
                               uint64_t now_ms, uint32_t *done_r)
{
    bool are_reads = jobs[0]->kind == STORE_READ;
    uint64_t bytes = 0, bytes_max = are_reads ? READ_BYTES_MAX : WRITE_BYTES_MAX;
    *done_r = 0;
    enum rc rc = store_log_begin(work->log, !are_reads);
    while (rc == RC_OK && *done_r < count && bytes < bytes_max) {
        struct store_job *job = jobs[(*done_r)++];
        rc = run_job(work, job, now_ms);
        if (rc == RC_OK) bytes += job_bytes(job);
    }
    if (!are_reads) work->unmeasured_bytes += bytes;
    if (rc != RC_OK) return rc;
    return are_reads ? store_log_commit(work->log) : commit_measured(work);
}

static void count_jobs(struct store_work *work, struct store_job *const *jobs, uint32_t count)
{
    uint64_t reads = 0, appends = 0;
    for (uint32_t i = 0; i < count; i++) {
        reads += jobs[i]->kind == STORE_READ;
        appends += jobs[i]->kind == STORE_APPEND && jobs[i]->rc == RC_OK;
    }
    counter_add(&work->counters, COUNTER_store_reads, reads);
    counter_add(&work->counters, COUNTER_store_appends, appends);
}

/* ---- jobs of a transaction that failed ---- */

static void drop_answers(struct store_work *work, struct store_job *const *jobs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i]->kind == STORE_READ) store_job_fini(&work->counters, jobs[i]);
    }
}

/* Once more, in a transaction of its own: that another one fails is no reason. */
static void read_again(struct store_work *work, struct store_job *job, uint64_t now_ms)
{
    enum rc rc = store_log_begin(work->log, false);
    if (rc == RC_OK) rc = store_log_read(work->log, job, now_ms);
    if (rc == RC_OK) rc = store_log_commit(work->log);
    if (rc == RC_OK) return;
    store_log_rollback(work->log);
    job->rc = RC_ESTORE;
}

/* Answers the jobs of a transaction that failed: those that were begun; if it could not even begin, as many as would
 * have fitted. Returns how many. */
static uint32_t fail_jobs(struct store_work *work, struct store_job *const *jobs, uint32_t count, uint32_t begun,
                          uint64_t now_ms)
{
    uint64_t bytes = 0;
    uint32_t done = 0;
    while (begun > 0 ? done < begun : done < count && bytes < WRITE_BYTES_MAX) {
        struct store_job *job = jobs[done++];
        job->rc = RC_ESTORE;
        if (job->kind == STORE_READ) read_again(work, job, now_ms);
        bytes += job_bytes(job);
    }
    return done;
}

uint32_t store_work_run(struct store_work *work, struct store_job *const *jobs, uint32_t count)
{
    uint64_t now_ms = day_clock_forget_ms(&work->day_clock, monotonic_ms());
    uint32_t done;
    if (run_transaction(work, jobs, count, now_ms, &done) == RC_OK) {
        counter_add(&work->counters, COUNTER_store_commits, 1);
        if (has_appended(jobs, done)) note_success(work); /* reading alone proves nothing */
    } else {
        note_failure(work);
        store_log_rollback(work->log);
        drop_answers(work, jobs, done);
        done = fail_jobs(work, jobs, count, done, now_ms);
    }
    count_jobs(work, jobs, done);
    return done;
}

/* ---- upkeep ---- */

static enum rc run_sweep(struct store_work *work, bool *has_more_r)
{
    uint64_t now_ms = day_clock_forget_ms(&work->day_clock, monotonic_ms());
    enum rc rc = store_log_begin(work->log, true);
    if (rc == RC_OK) rc = store_log_sweep(work->log, now_ms, SWEEP_ROWS, has_more_r);
    if (rc == RC_OK) rc = store_log_commit(work->log);
    return rc;
}

static void sweep(struct store_work *work, uint64_t now_ms)
{
    bool has_more = false;
    if (run_sweep(work, &has_more) != RC_OK) {
        note_failure(work);
        store_log_rollback(work->log);
        has_more = false;
    }
    work->sweep_at_ms = has_more ? now_ms : now_ms + SWEEP_MS;
}

static enum rc run_eviction(struct store_work *work, bool *has_more_r)
{
    enum rc rc = store_log_begin(work->log, true);
    if (rc == RC_OK) rc = store_log_evict(work->log, EVICT_ROWS, has_more_r);
    if (rc == RC_OK) rc = store_log_commit(work->log);
    return rc;
}

static void evict(struct store_work *work)
{
    bool has_more = true;
    work->unmeasured_bytes = 0;
    if (!store_log_is_full(work->log)) return;
    for (uint32_t i = 0; i < EVICTIONS_MAX && has_more; i++) {
        if (run_eviction(work, &has_more) == RC_OK) continue;
        note_failure(work);
        store_log_rollback(work->log);
        return;
    }
    if (has_more) work->unmeasured_bytes = MEASURE_BYTES; /* after the next jobs */
}

static void probe(struct store_work *work)
{
    if (store_log_probe(work->log) == RC_OK) {
        note_success(work);
    } else {
        note_failure(work);
    }
}

static void look(struct store_work *work, uint64_t now_ms)
{
    work->look_at_ms = now_ms + LOOK_MS;
    if (store_log_look(work->log) != RC_OK) note_failure(work);
}

/* When to look at the files, or to probe whether trouble is over. */
static uint64_t check_at_ms(const struct store_work *work)
{
    return atomic_load(&work->trouble) != NULL ? work->probe_at_ms : work->look_at_ms;
}

void store_work_upkeep(struct store_work *work)
{
    uint64_t now_ms = monotonic_ms();
    if (now_ms >= work->sweep_at_ms) sweep(work, now_ms);
    if (work->unmeasured_bytes >= MEASURE_BYTES) evict(work);
    if (now_ms < check_at_ms(work)) return;
    if (atomic_load(&work->trouble) != NULL) {
        probe(work);
    } else {
        look(work, now_ms);
    }
}

int store_work_sleep_ms(const struct store_work *work)
{
    uint64_t now_ms = monotonic_ms(), at_ms = work->sweep_at_ms;
    if (check_at_ms(work) < at_ms) at_ms = check_at_ms(work);
    return at_ms > now_ms ? (int)(at_ms - now_ms) : 0;
}
