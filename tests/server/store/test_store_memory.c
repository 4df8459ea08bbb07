/* tests/server/store/test_store_memory.c - the durable log against a model, by chance and from seeds, also while
 * allocations fail: what was committed is there, what was not is not, and nothing is left behind.
 *
 * Method: the program is linked with --wrap for malloc, calloc and realloc, which concerns our own code; SQLite gets
 * an allocator that fails likewise. What yyjson allocates does not fail. */
#include "core/message.h"
#include "server/store/store_log.h"
#include "server/system/log.h"
#include "tests/support/scarce.h"
#include "tests/support/store_case.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory that fails ---- */

static uint64_t seed;
static sqlite3_mem_methods usual;

/* SplitMix64. */
static uint32_t chance(uint32_t below)
{
    uint64_t z = seed += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ z >> 31) % below);
}

static void *sqlite_malloc(int count)
{
    return scarce_fails() ? NULL : usual.xMalloc(count);
}

static void *sqlite_realloc(void *memory, int count)
{
    return scarce_fails() ? NULL : usual.xRealloc(memory, count);
}

static void make_sqlite_fail(void)
{
    scarce_chance = chance;
    cr_assert_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &usual), SQLITE_OK);
    sqlite3_mem_methods failing = usual;
    failing.xMalloc = sqlite_malloc;
    failing.xRealloc = sqlite_realloc;
    cr_assert_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
}

/* ---- the model: which offsets each channel has ---- */

enum { CHANNELS = 4, OFFSETS_MAX = 4000, JOBS = 12 };

struct model {
    uint64_t last[CHANNELS];
    uint32_t count[CHANNELS]; /* of messages ever committed; the newest `size` of them must be there */
    uint64_t offsets[CHANNELS][OFFSETS_MAX];
};

static struct model model;
static struct store_log *store_log;
static struct counters counters;

static const char *channel_of(uint32_t number)
{
    static const char *const channels[CHANNELS] = {"room-0", "room-1", "room-2", "room-3"};
    return channels[number];
}

static void open_log(void)
{
    char reason[512];
    cr_assert_eq(store_log_open(&store_log, &counters, case_dir, false, reason, sizeof reason), RC_OK, "%s", reason);
}

/* The answer is right: the newest of the model's, as many as there are. */
static void check_read(const struct model *expected, const struct store_job *read)
{
    uint32_t channel = (uint32_t)(read->channel->text[5] - '0'), count = expected->count[channel];
    if (read->rc == RC_ENOENT) cr_assert_eq(count, 0);
    if (read->rc != RC_OK) return;
    cr_assert_eq(read->last, expected->last[channel]);
    cr_assert_leq(read->messages_count, count);
    cr_assert_geq(read->messages_count, count < case_rule.size ? count : case_rule.size);
    for (uint32_t i = 0; i < read->messages_count; i++)
        cr_assert_eq(read->messages[i]->offset, expected->offsets[channel][count - read->messages_count + i]);
}

/* A job by chance. An append gets the offset behind the last one, or a later one. */
static struct store_job *some_job(const struct model *after)
{
    uint32_t channel = chance(CHANNELS);
    if (chance(4) == 0) return case_read(channel_of(channel));
    struct store_job *job =
        case_append(channel_of(channel), after->last[channel] + 1 + (chance(9) == 0), "{\"a\":\"b\"}");
    if (chance(3) == 0) snprintf(job->key, sizeof job->key, "key-%u", chance(1000));
    return job;
}

/* RC_OK also if the job alone had no memory. */
static enum rc run_job(struct store_job *job, struct model *after)
{
    if (job->kind == STORE_READ) return store_log_read(store_log, job, CASE_MS);
    enum rc rc = store_log_append(store_log, job, CASE_MS);
    if (rc != RC_OK) return rc;
    cr_assert(job->rc == RC_OK || job->rc == RC_ENOMEM);
    if (job->rc != RC_OK) return RC_OK;
    uint32_t channel = (uint32_t)(job->channel->text[5] - '0');
    cr_assert_lt(after->count[channel], OFFSETS_MAX);
    after->offsets[channel][after->count[channel]++] = job->message->offset;
    after->last[channel] = job->message->offset;
    return RC_OK;
}

/* One transaction of some jobs; memory fails in the store's part of it only. */
static void some_transaction(uint32_t one_in)
{
    static struct model after;
    struct store_job *jobs[JOBS];
    uint32_t count = 1 + chance(JOBS), done = 0;
    after = model;
    scarce_one_in = one_in;
    enum rc rc = store_log_begin(store_log, true);
    scarce_one_in = 0;
    for (; done < count && rc == RC_OK; done++) {
        jobs[done] = some_job(&after);
        scarce_one_in = one_in;
        rc = run_job(jobs[done], &after);
        scarce_one_in = 0;
        if (rc == RC_OK && jobs[done]->kind == STORE_READ) check_read(&after, jobs[done]);
    }
    scarce_one_in = one_in;
    if (rc == RC_OK) rc = store_log_commit(store_log);
    if (rc == RC_OK) model = after;
    if (rc != RC_OK) store_log_rollback(store_log);
    scarce_one_in = 0;
    cr_assert(rc == RC_OK || one_in > 0, "%s", store_log_reason(store_log));
    for (uint32_t i = 0; i < done; i++)
        case_free(jobs[i]);
}

static void some_sweep(uint32_t one_in)
{
    bool has_more;
    scarce_one_in = one_in;
    enum rc rc = store_log_begin(store_log, true);
    if (rc == RC_OK) rc = store_log_sweep(store_log, CASE_MS, 1 + chance(20), &has_more);
    if (rc == RC_OK) rc = store_log_commit(store_log);
    if (rc != RC_OK) store_log_rollback(store_log);
    scarce_one_in = 0;
}

static void check_all(void)
{
    cr_assert_eq(store_log_begin(store_log, false), RC_OK, "%s", store_log_reason(store_log));
    for (uint32_t i = 0; i < CHANNELS; i++) {
        struct store_job *read = case_read(channel_of(i));
        cr_assert_eq(store_log_read(store_log, read, CASE_MS), RC_OK);
        cr_assert(read->rc == RC_OK || read->rc == RC_ENOENT);
        check_read(&model, read);
        case_free(read);
    }
    cr_assert_eq(store_log_commit(store_log), RC_OK);
}

static void run_seed(uint64_t with_seed, uint32_t one_in)
{
    case_begin();
    seed = with_seed;
    memset(&model, 0, sizeof model);
    counters = (struct counters){0};
    case_rule.size = 1 + chance(60);
    open_log();
    for (uint32_t i = 0; i < 150; i++) {
        some_transaction(one_in);
        if (chance(20) == 0) some_sweep(one_in);
        if (chance(10) == 0) check_all();
        if (chance(50) == 0) {
            store_log_close(store_log);
            open_log();
        }
    }
    check_all();
    cr_expect_eq(case_query("SELECT sum(count) = (SELECT count(*) FROM message)"
                            " AND sum(bytes) = (SELECT sum(bytes) FROM message) FROM channel"),
                 1);
    store_log_close(store_log);
    counter_add(&case_counters, COUNTER_messages_live, counter_get(&counters, COUNTER_messages_live));
    case_end();
}

Test(store_memory, the_log_is_as_the_model_says, .timeout = 120)
{
    for (uint64_t i = 1; i <= 10; i++)
        run_seed(i, 0);
}

Test(store_memory, what_memory_is_too_short_for_is_not_there_and_the_rest_is, .timeout = 120)
{
    atomic_store(&log_level_now, -1); /* its errors are what we cause */
    make_sqlite_fail();
    for (uint64_t i = 1; i <= 20; i++)
        run_seed(100 + i, 10 + 30 * (uint32_t)i);
    cr_expect_gt(scarce_failures, 500);
}

/* Opening, with a database to be made and with one that is there. */
Test(store_memory, an_opening_without_memory_leaves_nothing_open, .timeout = 120)
{
    char reason[512];
    uint32_t opened = 0;
    atomic_store(&log_level_now, -1);
    make_sqlite_fail();
    case_begin();
    for (uint32_t i = 0; i < 300; i++) {
        seed = i;
        scarce_one_in = 20 + 5 * i;
        enum rc rc = store_log_open(&store_log, &counters, case_dir, false, reason, sizeof reason);
        scarce_one_in = 0;
        if (rc == RC_OK) store_log_close(store_log);
        opened += rc == RC_OK;
    }
    cr_expect_gt(opened, 0);
    cr_expect_lt(opened, 300);
    open_log();
    store_log_close(store_log);
    case_end();
}
