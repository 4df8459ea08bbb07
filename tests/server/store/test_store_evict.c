/* tests/server/store/test_store_evict.c - a database that is as large as it may be: what goes,
 * in which order, what stays.
 *
 * Method: jobs run as the store's thread runs them, with its upkeep between them. */
#include "core/message.h"
#include "server/store/store_work.h"
#include "server/system/clock.h"
#include "tests/support/store_log_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB       UINT64_C(1024)
#define MIB       (1024 * KIB)
#define BOUND     (4 * MIB)
#define TEXT_MAX  20000
#define SECOND_MS UINT64_C(1000)

#define JOBS_MAX 16 /* in one transaction */

static struct store_work work;
static struct store_job *jobs[JOBS_MAX];
static uint32_t jobs_count;
static uint64_t begin_ms;

static void set_bound(uint64_t bytes_max)
{
    cr_assert_eq(store_log_set_bound(case_log, bytes_max), RC_OK, "%s", store_log_reason(case_log));
    work = (struct store_work){.log = case_log, .sweep_at_ms = UINT64_MAX, .look_at_ms = UINT64_MAX};
}

static void begin(uint64_t bytes_max)
{
    case_log_begin();
    case_rule.size = 1000000;
    case_rule.bytes = UINT64_C(1) << 40;
    begin_ms = realtime_ms() - 3600 * SECOND_MS;
    set_bound(bytes_max);
}

static void commit(void);

static void reopen(uint64_t bytes_max)
{
    commit();
    case_log_reopen();
    set_bound(bytes_max);
}

static void commit(void)
{
    if (jobs_count == 0) return;
    cr_assert_eq(store_work_run(&work, jobs, jobs_count), jobs_count);
    for (; jobs_count > 0; jobs_count--) {
        cr_assert_eq(jobs[jobs_count - 1]->rc, RC_OK, "%s", store_log_reason(case_log));
        case_free(jobs[jobs_count - 1]);
    }
    store_work_upkeep(&work);
}

/* One message of about so many bytes, so many seconds after the beginning. */
static void append(const char *channel, uint64_t offset, enum message_origin origin, uint32_t bytes, uint64_t second)
{
    static char data[TEXT_MAX];
    memset(data, 'x', sizeof data);
    struct store_job *job = case_append_text(channel, offset, text_of("ev"), (struct text){data, bytes},
                                             (struct text){0}, begin_ms + second * SECOND_MS);
    job->message->origin = origin;
    if (origin == ORIGIN_CLIENT) snprintf(job->key, sizeof job->key, "c%u", (unsigned)offset);
    jobs[jobs_count++] = job;
    if (jobs_count == JOBS_MAX) commit();
}

static uint64_t count(const char *channel)
{
    char sql[200];
    commit();
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM message JOIN channel ON channel.id = channel WHERE channel.name = '%s'", channel);
    return case_query(sql);
}

static uint64_t size_of(const char *name)
{
    struct stat status;
    return stat(case_path(name), &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* On the disk: the file does not shrink, but what is freed is used again. A bound as small as here is exceeded by what
 * one transaction and SQLite's log add; the least that the option takes has slack for that. */
static uint64_t files_size(void)
{
    return size_of("ringcast.db") + size_of("ringcast.db-wal");
}

static void expect_bounded(uint64_t bytes_max)
{
    commit();
    cr_expect_leq(files_size(), bytes_max + bytes_max / 16, "%lu KiB", files_size() / KIB);
    cr_expect_eq(
        case_query("SELECT count(*) FROM channel WHERE count != (SELECT count(*) FROM message WHERE channel = id)"
                   " OR bytes != (SELECT coalesce(sum(bytes), 0) FROM message WHERE channel = id)"),
        0);
}

/* ---- who goes first ---- */

/* Goal: what strangers publish takes nothing from the others, though theirs is older, and the oldest of it goes. */
Test(store_evict, the_oldest_messages_of_rooms_go_first, .timeout = 60)
{
    begin(BOUND);
    for (uint64_t i = 1; i <= 100; i++)
        append("orders", i, ORIGIN_BACKEND, 10000, 0);
    for (uint64_t i = 1; i <= 800; i++) {
        append("room-a", i, ORIGIN_ROOM, 10000, 2 * i);
        append("room-b", i, ORIGIN_ROOM, 10000, 2 * i + 1);
    }
    expect_bounded(BOUND);
    cr_expect_eq(count("orders"), 100);
    uint64_t a = count("room-a"), b = count("room-b");
    cr_expect(a + b > 100 && a < b + 100 && b < a + 100, "alike: %lu and %lu", a, b);
    cr_expect_eq(counter_get(&case_log_counters, COUNTER_store_evictions), 1600 - a - b);
    struct store_job *read = case_read("room-a");
    case_log_run(read, realtime_ms());
    cr_expect_eq(read->last, 800);
    cr_expect_eq(read->first, 801 - a, "the newest stay");
    case_free(read);
    case_log_end();
}

Test(store_evict, then_the_largest_channel_loses_its_oldest, .timeout = 60)
{
    begin(BOUND);
    for (uint64_t i = 1; i <= 300; i++) {
        append("small", i, ORIGIN_BACKEND, 1000, i);
        if (i <= 150) append("middle", i, ORIGIN_BACKEND, 4000, i);
        append("large", i, ORIGIN_BACKEND, 16000, i);
    }
    expect_bounded(BOUND);
    cr_expect_eq(count("small"), 300);
    cr_expect_eq(count("middle"), 150);
    cr_expect_gt(count("large"), 50);
    cr_expect_lt(count("large"), 200);
    case_log_expect("large", realtime_ms(), 301 - count("large"), 300, (uint32_t)count("large"));
    case_log_end();
}

/* A channel that raw clients publish to is a room until nothing is left of it. */
Test(store_evict, a_channel_is_a_room_from_a_raw_message_on, .timeout = 60)
{
    begin(BOUND);
    append("mixed", 1, ORIGIN_BACKEND, 100, 3);
    commit();
    cr_expect_eq(case_query("SELECT is_room FROM channel"), 0);
    append("mixed", 2, ORIGIN_ROOM, 100, 5);
    append("mixed", 3, ORIGIN_BACKEND, 100, 7);
    commit();
    cr_expect_eq(case_query("SELECT is_room FROM channel"), 1);
    cr_expect_eq(case_query("SELECT eviction FROM channel"), begin_ms + 3 * SECOND_MS, "its oldest message counts");
    reopen(BOUND);
    append("mixed", 4, ORIGIN_BACKEND, 100, 9);
    commit();
    cr_expect_eq(case_query("SELECT is_room FROM channel"), 1);
    case_log_sweep(begin_ms + case_rule.ttl + 10 * SECOND_MS, 100);
    cr_expect_eq(count("mixed"), 0);
    append("mixed", 5, ORIGIN_BACKEND, 100, 11);
    commit();
    cr_expect_eq(case_query("SELECT is_room FROM channel"), 0);
    case_log_end();
}

/* Goal: names cost what the bound says, too. Of a room with a key its place stays as long as the key. */
Test(store_evict, a_room_of_which_nothing_is_left_goes, .timeout = 60)
{
    enum { ROOMS = 4000 };
    char name[16];
    begin(BOUND);
    append("keyed", 1, ORIGIN_CLIENT, 100, 0);
    append("keyed", 2, ORIGIN_ROOM, 100, 0);
    for (uint64_t i = 1; i <= ROOMS; i++) {
        snprintf(name, sizeof name, "room-%lu", i);
        append(name, 1, ORIGIN_ROOM, 1000, i);
    }
    expect_bounded(BOUND);
    cr_expect_eq(count("keyed"), 0);
    uint64_t channels = case_query("SELECT count(*) FROM channel");
    cr_expect(channels > 100 && channels < ROOMS, "%lu", channels);
    cr_expect_eq(case_query("SELECT count(*) FROM channel WHERE name = 'keyed' AND last = 2"), 1);
    cr_expect_eq(count("room-4000"), 1);
    append("room-1", 2, ORIGIN_ROOM, 1000, ROOMS + 1); /* its home goes on as if nothing were */
    commit();
    struct store_job *read = case_read("room-1");
    case_log_run(read, realtime_ms());
    cr_expect_str_eq(read->epoch, "epoch001");
    cr_expect_eq(read->first, 2);
    cr_expect_eq(read->last, 2);
    case_free(read);
    case_log_end();
}

Test(store_evict, without_a_bound_nothing_goes, .timeout = 60)
{
    begin(0);
    for (uint64_t i = 1; i <= 500; i++)
        append("room", i, ORIGIN_ROOM, 10000, i);
    cr_expect_eq(count("room"), 500);
    cr_expect_eq(counter_get(&case_log_counters, COUNTER_store_evictions), 0);
    case_log_end();
}

/* One message may be larger than all; and nothing to evict is no reason to go round for ever. */
Test(store_evict, what_cannot_be_helped_is_let_be, .timeout = 60)
{
    begin(64 * KIB);
    for (uint64_t i = 1; i <= 100; i++)
        append("room", i, ORIGIN_ROOM, TEXT_MAX, i);
    cr_expect_leq(count("room"), 10);
    append("room", 101, ORIGIN_ROOM, 10, 101);
    commit();
    case_log_end();
}

Test(store_evict, that_the_bound_is_reached_is_told_once, .timeout = 60)
{
    static char told[65536];
    static const char words[] = "store_disk_bytes_max reached";
    int file = memfd_create("stderr", 0);
    cr_assert(file >= 0 && dup2(file, STDERR_FILENO) == STDERR_FILENO);
    begin(64 * KIB);
    for (uint64_t i = 1; i <= 100; i++)
        append("room", i, ORIGIN_ROOM, TEXT_MAX, i);
    commit();
    cr_assert_gt(counter_get(&case_log_counters, COUNTER_store_evictions), 50);
    cr_assert_geq(pread(file, told, sizeof told - 1, 0), 0);
    const char *first = strstr(told, words);
    cr_assert_not_null(first, "%s", told);
    cr_expect_null(strstr(first + 1, words), "%s", told);
    case_log_end();
}

/* ---- the first start with a bound ---- */

Test(store_evict, one_that_is_larger_already_is_kept, .timeout = 60)
{
    begin(0);
    for (uint64_t i = 1; i <= 700; i++)
        append("room", i, ORIGIN_ROOM, 10000, i);
    commit();
    uint64_t before = files_size();
    for (int round = 0; round < 2; round++) {
        reopen(BOUND);
        cr_expect_eq(count("room"), round == 0 ? 700 : count("room"));
        for (uint64_t i = 1; i <= 20; i++)
            append("room", 700 + 20 * (uint64_t)round + i, ORIGIN_ROOM, 10000, 700 + i);
        cr_expect_geq(count("room"), 640, "%lu", count("room"));
    }
    for (uint64_t i = 741; i <= 1500; i++)
        append("room", i, ORIGIN_ROOM, 10000, i);
    cr_expect_leq(files_size(), before + 2 * MIB, "%lu and %lu KiB", files_size() / KIB, before / KIB);
    cr_expect_geq(count("room"), 650);
    cr_expect_leq(count("room"), 850);
    reopen(BOUND + 1); /* somebody has chosen */
    append("room", 1501, ORIGIN_ROOM, TEXT_MAX, 1501);
    for (uint64_t i = 1502; i <= 1520; i++)
        append("room", i, ORIGIN_ROOM, 10000, i);
    cr_expect_leq(count("room"), BOUND / 10000);
    reopen(2 * BOUND);
    reopen(BOUND); /* it is not the first time any more */
    for (uint64_t i = 1521; i <= 1600; i++)
        append("room", i, ORIGIN_ROOM, 10000, i);
    cr_expect_leq(count("room"), BOUND / 10000);
    case_log_end();
}
