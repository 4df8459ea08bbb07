/* tests/support/store_log_case.c - jobs in transactions of their own, and what they answer. */
#include "tests/support/store_log_case.h"

#include "core/message.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct store_log *case_log;
struct counters case_log_counters;

void case_log_open(void)
{
    char reason[512] = "";
    cr_assert_eq(store_log_open(&case_log, &case_log_counters, case_dir, false, reason, sizeof reason), RC_OK, "%s",
                 reason);
}

void case_log_begin(void)
{
    case_begin();
    case_log_counters = (struct counters){0};
    case_log_open();
}

void case_log_reopen(void)
{
    store_log_close(case_log);
    case_log_open();
}

void case_log_end(void)
{
    store_log_close(case_log);
    counter_add(&case_counters, COUNTER_messages_live, counter_get(&case_log_counters, COUNTER_messages_live));
    case_end();
}

void case_log_run(struct store_job *job, uint64_t now_ms)
{
    cr_assert_eq(store_log_begin(case_log, job->kind != STORE_READ), RC_OK);
    enum rc rc = job->kind == STORE_APPEND ? store_log_append(case_log, job, now_ms)
                 : job->kind == STORE_LOSS ? store_log_lose(case_log, job)
                                           : store_log_read(case_log, job, now_ms);
    cr_assert_eq(rc, RC_OK);
    cr_assert_eq(store_log_commit(case_log), RC_OK, "%s", store_log_reason(case_log));
}

enum rc case_log_run_and_free(struct store_job *job, uint64_t now_ms)
{
    case_log_run(job, now_ms);
    enum rc rc = job->rc;
    case_free(job);
    return rc;
}

void case_log_append(const char *channel, uint64_t first, uint64_t last)
{
    for (uint64_t offset = first; offset <= last; offset++)
        cr_assert_eq(case_log_run_and_free(case_append(channel, offset, "{\"a\":1}"), CASE_MS), RC_OK);
}

void case_log_append_at(const char *channel, uint64_t offset, uint64_t time_ms, const char *key)
{
    struct store_job *job = case_append_text(channel, offset, text_of("ev"), text_of("x"), (struct text){0}, time_ms);
    snprintf(job->key, sizeof job->key, "%s", key);
    cr_assert_eq(case_log_run_and_free(job, time_ms), RC_OK);
}

void case_log_expect(const char *channel, uint64_t now_ms, uint64_t first, uint64_t last, uint32_t count)
{
    struct store_job *read = case_read(channel);
    case_log_run(read, now_ms);
    cr_expect_eq(read->rc, RC_OK);
    cr_expect_eq(read->first, first, "%s: first %llu", channel, (unsigned long long)read->first);
    cr_expect_eq(read->last, last, "%s: last %llu", channel, (unsigned long long)read->last);
    cr_expect_eq(read->messages_count, count, "%s: %s", channel, case_offsets(read));
    if (count > 0) cr_expect_eq(read->messages[0]->offset, first);
    case_free(read);
}

enum rc case_log_read_rc(const char *channel, uint64_t now_ms)
{
    return case_log_run_and_free(case_read(channel), now_ms);
}

uint32_t case_log_sweep(uint64_t now_ms, uint32_t rows_max)
{
    bool has_more = true;
    uint32_t passes = 0;
    for (; has_more && passes < 100000; passes++) {
        cr_assert_eq(store_log_begin(case_log, true), RC_OK);
        cr_assert_eq(store_log_sweep(case_log, now_ms, rows_max, &has_more), RC_OK);
        cr_assert_eq(store_log_commit(case_log), RC_OK);
    }
    return passes;
}
