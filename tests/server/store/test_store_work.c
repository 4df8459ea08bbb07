/* tests/server/store/test_store_work.c - what the store's thread does between jobs, and when. The machine's clocks are
 * the test's own. */
#include "server/store/store_work.h"
#include "tests/support/own_clock.h"
#include "tests/support/store_log_case.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define MINUTE_MS UINT64_C(60000)
#define YEAR_MS   (365 * DAY_MS) /* a day is how long case_rule keeps a message */

static struct store_work work;

/* As the thread does: it wakes when there is something to do. */
static void pass(uint64_t ms)
{
    for (uint64_t left_ms = ms; left_ms > 0;) {
        uint64_t step_ms = (uint64_t)store_work_sleep_ms(&work);
        if (step_ms > left_ms) step_ms = left_ms;
        pass_ms(step_ms);
        left_ms -= step_ms;
        store_work_upkeep(&work);
    }
}

static void begin(void)
{
    case_log_begin();
    work = (struct store_work){.log = case_log};
    store_work_upkeep(&work);
}

static void end(void)
{
    counter_add(&case_log_counters, COUNTER_messages_live, counter_get(&work.counters, COUNTER_messages_live));
    case_log_end();
}

static enum rc append(uint64_t offset)
{
    struct store_job *job = case_append_text("room", offset, text_of("ev"), text_of("x"), (struct text){0}, day_ms);
    cr_assert_eq(store_work_run(&work, &job, 1), 1);
    enum rc rc = job->rc;
    case_free(job);
    return rc;
}

static uint64_t kept(void)
{
    return case_query("SELECT count(*) FROM message");
}

/* What a reader is given. */
static uint32_t readable(void)
{
    struct store_job *job = case_read("room");
    cr_assert_eq(store_work_run(&work, &job, 1), 1);
    uint32_t count = job->rc == RC_OK ? job->messages_count : 0;
    case_free(job);
    return count;
}

/* ---- time ---- */

/* Goal: what is stored is not lost by a clock that is set far ahead and, within the hour, right again. */
Test(store_work, forgets_nothing_by_a_clock_that_was_set_ahead_and_back, .timeout = 60)
{
    begin();
    cr_assert_eq(append(1), RC_OK);
    pass(10 * MINUTE_MS);
    day_ms += YEAR_MS;
    pass(30 * MINUTE_MS);
    cr_expect_eq(kept(), 1);
    cr_assert_eq(append(2), RC_OK);
    cr_expect_eq(kept(), 2);
    cr_expect_eq(readable(), 2);
    day_ms -= YEAR_MS;
    pass(DAY_MS - 45 * MINUTE_MS);
    cr_expect_eq(kept(), 2);
    cr_assert_eq(append(3), RC_OK);
    pass(7 * MINUTE_MS);
    cr_expect_eq(kept(), 2, "the first one is a day old");
    end();
}

Test(store_work, forgets_by_a_clock_that_was_rightly_set_ahead, .timeout = 60)
{
    begin();
    cr_assert_eq(append(1), RC_OK);
    pass(10 * MINUTE_MS);
    day_ms += YEAR_MS;
    pass(MINUTE_MS);
    cr_assert_eq(append(2), RC_OK);
    pass(64 * MINUTE_MS);
    cr_expect_eq(kept(), 1, "the first one is a year old");
    pass(DAY_MS);
    cr_expect_eq(kept(), 0);
    end();
}

/* ---- files ---- */

static void move(const char *from, const char *to)
{
    char from_path[128], to_path[128];
    snprintf(from_path, sizeof from_path, "%s/%s", case_dir, from);
    snprintf(to_path, sizeof to_path, "%s/%s", case_dir, to);
    cr_assert_eq(rename(from_path, to_path), 0);
}

/* Goal: files that are gone are noticed without a job, within a second, told once, and noticed when they are back. */
Test(store_work, looks_each_second_whether_its_files_are_there, .timeout = 60)
{
    begin();
    for (uint64_t round = 0; round < 5; round++) {
        pass(5000 + round * 1000);
        cr_expect_null(work.trouble);
        cr_assert_eq(append(round + 1), RC_OK);
        move("lock", "elsewhere");
        pass(1000);
        cr_expect_not_null(work.trouble);
        pass(5000);
        cr_expect_not_null(work.trouble);
        cr_expect_eq(append(round + 2), RC_ESTORE);
        move("elsewhere", "lock");
        pass(1000);
        cr_expect_null(work.trouble);
    }
    cr_expect_eq(kept(), 5);
    end();
}
