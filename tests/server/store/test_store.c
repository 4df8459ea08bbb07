/* tests/server/store/test_store.c - the store's thread with real shards' threads before it: order, bounds, restarts. */
#include "core/message.h"
#include "server/store/store.h"
#include "tests/support/store_case.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/options.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "server/system/clock.h"

#define SHARDS_MOST 4

/* One test after the other: the runner of Criterion 2.4 leaks when a slow test outlives the ones after it. */
ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    (void)tests;
    criterion_options.jobs = 1;
}

static struct store *store;
static struct options options;
static int wake[SHARDS_MOST];
static uint64_t now_ms, disk_bytes_max;

static void start(uint32_t shards)
{
    char reason[512] = "";
    static char all[] = "*";
    static struct history_rule durable = {.pattern = all, .durable = true};
    options = (struct options){.data_dir = case_dir,
                               .store_sync = false,
                               .store_jobs_max = 10000,
                               .store_disk_bytes_max = disk_bytes_max,
                               .history = {.items = &durable, .count = 1}};
    cr_assert_eq(store_start(&store, &options, wake, shards, reason, sizeof reason), RC_OK, "%s", reason);
}

static void begin(uint32_t shards)
{
    case_begin();
    now_ms = realtime_ms();
    for (uint32_t i = 0; i < SHARDS_MOST; i++)
        wake[i] = eventfd(0, EFD_NONBLOCK);
    start(shards);
}

/* The messages that were made by the store and dropped by the test, or not. */
static void stop(void)
{
    store_stop(store);
    counter_add(&case_counters, COUNTER_messages_live, counter_get(store_counters(store), COUNTER_messages_live));
    store_free(store);
}

static void end(void)
{
    stop();
    for (uint32_t i = 0; i < SHARDS_MOST; i++)
        close(wake[i]);
    case_end();
}

static void ask(uint32_t shard, struct store_job *job)
{
    cr_assert_eq(store_ask(store, shard, job), RC_OK);
}

static void hush(uint32_t shard)
{
    uint64_t rings;
    ssize_t bytes = read(wake[shard], &rings, sizeof rings);
    (void)bytes;
}

/* Waits for the shard's signal as its ring does. */
static struct store_job *receive(uint32_t shard)
{
    struct store_job *job;
    while ((job = store_receive(store, shard)) == NULL) {
        struct pollfd signal = {.fd = wake[shard], .events = POLLIN};
        poll(&signal, 1, -1);
        hush(shard);
    }
    return job;
}

static struct store_job *append_now(const char *channel, uint64_t offset)
{
    return case_append_text(channel, offset, text_of("ev"), text_of("{\"a\":1}"), (struct text){0}, now_ms);
}

/* Asks, waits; the job is the caller's to free. */
static struct store_job *run(struct store_job *job)
{
    ask(0, job);
    store_wake(store, 0);
    cr_assert_eq(receive(0), job);
    return job;
}

static void append(const char *channel, uint64_t offset)
{
    struct store_job *job = run(append_now(channel, offset));
    cr_assert_eq(job->rc, RC_OK);
    case_free(job);
}

static void expect_kept(const char *channel, uint64_t last, uint32_t count)
{
    struct store_job *read = run(case_read(channel));
    cr_expect_eq(read->rc, RC_OK);
    cr_expect_eq(read->last, last);
    cr_expect_eq(read->messages_count, count, "%u messages: %s", read->messages_count, case_offsets(read));
    case_free(read);
}

/* ---- tests ---- */

Test(store, keeps_messages_over_a_restart, .timeout = 60)
{
    begin(1);
    struct store_job *read = run(case_read("room"));
    cr_expect_eq(read->rc, RC_ENOENT);
    case_free(read);
    append("room", 1);
    append("room", 2);
    stop();
    start(1);
    expect_kept("room", 2, 2);
    append("room", 3);
    expect_kept("room", 3, 3);
    cr_expect_eq(counter_get(store_counters(store), COUNTER_store_appends), 1);
    cr_expect_eq(counter_get(store_counters(store), COUNTER_store_reads), 2);
    cr_expect_eq(counter_get(store_counters(store), COUNTER_store_commits), 3);
    cr_expect_eq(counter_get(store_counters(store), COUNTER_store_failures), 0);
    cr_expect_eq(histogram_count(&store_counters(store)->histograms[HISTOGRAM_store_commit]), 1, "reads are none");
    cr_expect_eq(counter_get(store_counters(store), COUNTER_store_refuses), 0);
    cr_expect(store_trouble(store) == NULL);
    end();
}

Test(store, forgets_the_oldest_when_it_is_as_large_as_it_may_be, .timeout = 60)
{
    enum { MESSAGES = 400, BYTES = 10000, BOUND = 1 << 20 };
    static char data[BYTES];
    memset(data, 'x', sizeof data);
    begin(1);
    stop();
    disk_bytes_max = BOUND;
    start(1);
    for (uint64_t offset = 1; offset <= MESSAGES; offset++) {
        struct store_job *job = run(case_append_text("room", offset, text_of("ev"), (struct text){data, sizeof data},
                                                     (struct text){0}, now_ms));
        cr_assert_eq(job->rc, RC_OK);
        case_free(job);
    }
    stop(); /* nothing is under way any more */
    uint64_t left = case_query("SELECT count(*) FROM message");
    cr_expect(left > BOUND / BYTES / 3 && left < BOUND / BYTES, "%lu", left);
    cr_expect_eq(case_query("SELECT max(offset) FROM message"), MESSAGES);
    start(1);
    expect_kept("room", MESSAGES, (uint32_t)left);
    end();
}

static struct store_job *receive_next(struct store_job **jobs)
{
    struct store_job *job = receive(0);
    case_expect_next(jobs, job);
    return job;
}

/* Many at once: appends come back in order, reads too, and a read has what came back before it and nothing else. */
Test(store, answers_come_in_the_order_of_asking, .timeout = 120)
{
    enum { ROUNDS = 20, JOBS = 400 };
    begin(1);
    uint64_t offset = 0, came = 0;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct store_job *jobs[JOBS];
        for (uint32_t i = 0; i < JOBS; i++) {
            jobs[i] = i % 10 == 9 ? case_read("room") : append_now("room", ++offset);
            ask(0, jobs[i]);
            if (i % 100 == 50) store_wake(store, 0);
        }
        store_wake(store, 0);
        for (uint32_t i = 0; i < JOBS; i++) {
            struct store_job *job = receive_next(jobs);
            cr_assert_eq(job->rc, RC_OK);
            if (job->kind == STORE_APPEND) came = job->message->offset;
            if (job->kind == STORE_READ) cr_assert_eq(job->last, came);
            case_free(job);
        }
        cr_expect(store_receive(store, 0) == NULL);
    }
    cr_expect_leq(counter_get(store_counters(store), COUNTER_store_commits), ROUNDS * JOBS / 10,
                  "they share commits");
    end();
}

struct shard_thread {
    pthread_t thread;
    uint32_t shard;
    struct counters counters;
};

/* A shard that always has 50 jobs under way, of which it frees the answers itself. */
static void *be_shard(void *argument)
{
    struct shard_thread *own = argument;
    char channel[32];
    snprintf(channel, sizeof channel, "room-%u", own->shard);
    struct store_job *jobs[2000];
    uint32_t asked = 0, received = 0;
    for (uint32_t i = 0; i < 2000; i++)
        jobs[i] = NULL;
    static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER; /* case_counters have one owner at a time */
    while (received < 2000) {
        pthread_mutex_lock(&making);
        for (; asked < 2000 && asked - received < 50; asked++) {
            jobs[asked] = append_now(channel, asked + 1);
            if (store_ask(store, own->shard, jobs[asked]) != RC_OK) abort();
        }
        pthread_mutex_unlock(&making);
        store_wake(store, own->shard);
        if (receive(own->shard) != jobs[received] || jobs[received]->rc != RC_OK) abort();
        received++;
    }
    pthread_mutex_lock(&making);
    for (uint32_t i = 0; i < 2000; i++)
        case_free(jobs[i]);
    pthread_mutex_unlock(&making);
    return NULL;
}

Test(store, shards_ask_at_the_same_time, .timeout = 120)
{
    struct shard_thread threads[SHARDS_MOST];
    begin(SHARDS_MOST);
    for (uint32_t i = 0; i < SHARDS_MOST; i++) {
        threads[i] = (struct shard_thread){.shard = i};
        cr_assert_eq(pthread_create(&threads[i].thread, NULL, be_shard, &threads[i]), 0);
    }
    for (uint32_t i = 0; i < SHARDS_MOST; i++)
        pthread_join(threads[i].thread, NULL);
    for (uint32_t i = 0; i < SHARDS_MOST; i++) {
        char channel[32];
        snprintf(channel, sizeof channel, "room-%u", i);
        struct store_job *read = run(case_read(channel));
        cr_expect_eq(read->last, 2000);
        cr_expect_geq(read->messages_count, 1000);
        case_free(read);
    }
    end();
}

/* Under way are those that have not been received, whether the store has done them or not. */
Test(store, a_shard_with_too_many_jobs_under_way_is_refused, .timeout = 60)
{
    begin(2);
    stop();
    char reason[512];
    options.store_jobs_max = 5;
    cr_assert_eq(store_start(&store, &options, wake, 2, reason, sizeof reason), RC_OK, "%s", reason);
    for (uint32_t round = 0; round < 3; round++) {
        struct store_job *jobs[6];
        for (uint32_t i = 0; i < 6; i++) {
            jobs[i] = append_now("room", round * 10 + i + 1);
            cr_expect_eq(store_ask(store, 0, jobs[i]), i < 5 ? RC_OK : RC_EFULL);
        }
        struct store_job *other = append_now("room-2", round + 1);
        ask(1, other);
        store_wake(store, 0);
        store_wake(store, 1);
        cr_expect_eq(receive(1), other, "another shard has room of its own");
        case_free(other);
        cr_assert_eq(receive(0), jobs[0]);
        ask(0, jobs[5]);
        store_wake(store, 0);
        for (uint32_t i = 1; i < 6; i++)
            cr_assert_eq(receive(0), jobs[i]);
        for (uint32_t i = 0; i < 6; i++) {
            cr_expect_eq(jobs[i]->rc, RC_OK);
            case_free(jobs[i]);
        }
    }
    end();
}

Test(store, what_was_asked_for_is_written_before_the_end, .timeout = 60)
{
    struct store_job *jobs[3000];
    begin(1);
    for (uint32_t i = 0; i < 3000; i++)
        ask(0, jobs[i] = append_now("room", i + 1)); /* and nobody wakes the store */
    store_stop(store);
    for (uint32_t i = 0; i < 3000; i++) {
        cr_assert_eq(store_receive(store, 0), jobs[i]);
        cr_assert_eq(jobs[i]->rc, RC_OK);
        case_free(jobs[i]);
    }
    cr_expect(store_receive(store, 0) == NULL);
    store_free(store);
    start(1);
    struct store_job *read = run(case_read("room"));
    cr_expect_eq(read->last, 3000);
    case_free(read);
    end();
}

/* 40 messages of 1 MiB and reads of all of them do not fit into one transaction. */
Test(store, large_jobs_are_spread_over_transactions, .timeout = 120)
{
    enum { BYTES = 1 << 20, JOBS = 40, READS = 4 };
    char *data = malloc(BYTES);
    memset(data, 'x', BYTES);
    begin(1);
    case_rule.bytes = UINT64_C(1) << 30;
    struct store_job *jobs[JOBS + READS];
    for (uint32_t i = 0; i < JOBS + READS; i++) {
        struct text text = {data, BYTES};
        jobs[i] = i < JOBS ? case_append_text("room", i + 1, text_of("ev"), text, (struct text){0}, now_ms)
                           : case_read("room");
        ask(0, jobs[i]);
    }
    store_wake(store, 0);
    for (uint32_t i = 0, came = 0; i < JOBS + READS; i++) {
        struct store_job *job = receive_next(jobs);
        cr_expect_eq(job->rc, RC_OK);
        came += job->kind == STORE_APPEND;
        if (job->kind == STORE_READ) cr_expect_eq(job->messages_count, came);
        case_free(job);
    }
    cr_expect_geq(counter_get(store_counters(store), COUNTER_store_commits), JOBS / 8 + READS - 1);
    free(data);
    end();
}

/* Goal: a crowd that wants its past does not keep live messages waiting, nor the end.
 * Method: reads of a mebibyte each, of which one is a transaction, and behind them an append. */
Test(store, reads_let_what_is_written_pass, .timeout = 120)
{
    enum { BYTES = 1 << 20, READS = 200 };
    char *data = malloc(BYTES);
    memset(data, 'x', BYTES);
    begin(1);
    case_free(run(case_append_text("room", 1, text_of("ev"), (struct text){data, BYTES}, (struct text){0}, now_ms)));
    struct store_job *jobs[READS + 1];
    for (uint32_t i = 0; i < READS; i++) {
        ask(0, jobs[i] = case_read("room"));
    }
    ask(0, jobs[READS] = append_now("other", 1));
    store_wake(store, 0);
    uint32_t before = 0;
    struct store_job *job;
    for (; (job = receive_next(jobs))->kind == STORE_READ; before++) {
        cr_expect_eq(job->rc, RC_OK);
        case_free(job);
    }
    case_free(job);
    cr_expect_leq(before, 10, "%u of the reads came first", before);
    cr_expect_eq(store_ask(store, 0, jobs[READS] = append_now("other", 2)), RC_OK);
    store_stop(store);
    uint32_t unread = 0, kept = 0;
    for (; (job = store_receive(store, 0)) != NULL; case_free(job)) {
        unread += job->kind == STORE_READ && job->rc == RC_ESTORE;
        kept += job->kind == STORE_APPEND && job->rc == RC_OK;
    }
    cr_expect_eq(kept, 1);
    cr_expect_gt(unread, 0);
    stop();
    start(1);
    expect_kept("other", 2, 2);
    free(data);
    end();
}

Test(store, what_cannot_be_opened_is_not_started, .timeout = 60)
{
    begin(1);
    char reason[512];
    struct store *second;
    cr_expect_eq(store_start(&second, &options, wake, 1, reason, sizeof reason), RC_EINVAL);
    cr_expect(strstr(reason, "another ringcast") != NULL, "%s", reason);
    end();
    store_stop(NULL);
    store_free(NULL);
}
