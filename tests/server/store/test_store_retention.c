/* tests/server/store/test_store_retention.c - what the durable log forgets, and when. */
#include "core/message.h"
#include "tests/support/store_log_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define MINUTE_MS UINT64_C(60000)
#define ROWS_ALL  1000000

static const struct {
    uint32_t size;
    uint32_t appends;
} sizes[] = {{1, 1}, {1, 5}, {2, 40}, {15, 100}, {16, 100}, {100, 1000}, {1000, 1003}};

Test(store_retention, a_log_keeps_the_newest_and_exceeds_its_size_by_a_sixteenth_at_most, .timeout = 60)
{
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        case_log_begin();
        case_rule.size = sizes[i].size;
        for (uint64_t offset = 1; offset <= sizes[i].appends; offset++) {
            case_log_append("room", offset, offset);
            uint64_t least = offset < sizes[i].size ? offset : sizes[i].size;
            struct store_job *read = case_read("room");
            case_log_run(read, CASE_MS);
            cr_assert_geq(read->messages_count, least, "size %u, after %lu", sizes[i].size, offset);
            cr_assert_leq(read->messages_count, sizes[i].size + sizes[i].size / 16);
            cr_assert_eq(read->first, offset + 1 - read->messages_count);
            case_free(read);
        }
        cr_expect_eq(case_query("SELECT count = (SELECT count(*) FROM message) FROM channel"), 1);
        cr_expect_eq(case_query("SELECT bytes = (SELECT sum(bytes) FROM message) FROM channel"), 1);
        case_log_end();
    }
}

Test(store_retention, a_log_exceeds_its_bytes_by_a_sixteenth_at_most_and_keeps_one_always, .timeout = 60)
{
    case_log_begin();
    struct store_job *job = case_append("room", 1, "{\"a\":1}");
    uint64_t frame = job->message->frame_bytes[FORM_EVENT];
    case_free(job);
    case_rule.bytes = 10 * frame;
    case_log_append("room", 1, 200);
    uint64_t bytes = case_query("SELECT sum(bytes) FROM message");
    cr_expect_leq(bytes, case_rule.bytes + case_rule.bytes / 16);
    cr_expect_geq(bytes, case_rule.bytes - 3 * frame);
    char large[5000];
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    cr_assert_eq(case_log_run_and_free(case_append("room", 201, large), CASE_MS), RC_OK);
    case_log_expect("room", CASE_MS, 201, 201, 1);
    case_log_append("room", 202, 202);
    case_log_expect("room", CASE_MS, 202, 202, 1);
    case_log_end();
}

Test(store_retention, a_rule_that_became_smaller_takes_effect_step_by_step, .timeout = 60)
{
    case_log_begin();
    case_rule.size = 10000;
    case_log_append("room", 1, 3000);
    case_rule.size = 10;
    case_log_append("room", 3001, 3001);
    case_log_expect("room", CASE_MS, 1025, 3001, 1977); /* 1024 rows go at a time */
    case_log_append("room", 3002, 3003);
    case_log_expect("room", CASE_MS, 2994, 3003, 10);
    case_log_end();
}

Test(store_retention, expired_messages_are_not_read_and_then_swept, .timeout = 60)
{
    case_log_begin();
    case_rule.ttl = 60 * MINUTE_MS;
    for (uint64_t i = 0; i < 30; i++)
        case_log_append_at("room", i + 1, CASE_MS + i * MINUTE_MS, "");
    case_log_append_at("quiet", 7, CASE_MS, "");
    for (int round = 0; round < 2; round++) {
        case_log_expect("room", CASE_MS + 59 * MINUTE_MS, 1, 30, 30);
        case_log_expect("room", CASE_MS + 60 * MINUTE_MS, 2, 30, 29);
        case_log_expect("room", CASE_MS + 69 * MINUTE_MS, 11, 30, 20);
        if (round == 0) case_log_sweep(CASE_MS + 59 * MINUTE_MS, ROWS_ALL);
    }
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 31, "nothing was due");
    case_log_sweep(CASE_MS + 69 * MINUTE_MS, ROWS_ALL);
    case_log_expect("room", CASE_MS + 69 * MINUTE_MS, 11, 30, 20);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 20);
    cr_expect_eq(case_query("SELECT count(*) FROM channel"), 1, "the quiet one is forgotten");
    cr_expect_eq(case_query("SELECT count = 20 AND bytes = (SELECT sum(bytes) FROM message) FROM channel"), 1);
    cr_expect_eq(counter_get(&case_log_counters, COUNTER_store_expired), 11);
    case_log_end();
}

/* More milliseconds than 32 bits hold: cut off, what the last of these keeps would be gone within seven days. */
Test(store_retention, a_year_is_a_year_and_ten_are_ten, .timeout = 60)
{
    static const uint64_t days[] = {31, 50, 365, 3650};
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        case_log_begin();
        case_rule.ttl = days[i] * DAY_MS;
        case_log_append_at("room", 1, CASE_MS, "");
        case_log_append_at("room", 2, CASE_MS + 1, "");
        uint64_t over_ms = CASE_MS + days[i] * DAY_MS;
        case_log_sweep(over_ms - 1, ROWS_ALL);
        case_log_expect("room", over_ms - 1, 1, 2, 2);
        case_log_reopen();
        case_log_sweep(over_ms, ROWS_ALL);
        case_log_expect("room", over_ms, 2, 2, 1);
        case_log_sweep(over_ms + 1, ROWS_ALL);
        cr_expect_eq(case_query("SELECT (SELECT count(*) FROM channel) + (SELECT count(*) FROM message)"), 0);
        case_log_end();
    }
}

/* Its ttl is shorter than what keys need: then that counts. */
Test(store_retention, a_channel_is_forgotten_when_its_last_message_and_its_keys_expired, .timeout = 60)
{
    case_log_begin();
    for (int with_sweeps = 0; with_sweeps < 2; with_sweeps++) {
        case_rule.ttl = 20 * MINUTE_MS;
        case_log_append_at("long", 41, CASE_MS, "");
        case_rule.ttl = 1000;
        case_log_append_at("short", 42, CASE_MS, "k");
        for (uint32_t minute = 0; minute < 25; minute++) {
            uint64_t now_ms = CASE_MS + minute * MINUTE_MS;
            if (with_sweeps) case_log_sweep(now_ms, ROWS_ALL);
            case_rule.ttl = 20 * MINUTE_MS;
            cr_expect_eq(case_log_read_rc("long", now_ms), minute < 20 ? RC_OK : RC_ENOENT, "minute %u", minute);
            case_rule.ttl = 1000;
            cr_expect_eq(case_log_read_rc("short", now_ms), minute < 10 ? RC_OK : RC_ENOENT, "minute %u", minute);
        }
        case_log_sweep(CASE_MS + 25 * MINUTE_MS, ROWS_ALL);
        cr_expect_eq(case_query("SELECT (SELECT count(*) FROM channel) + (SELECT count(*) FROM message)"
                                " + (SELECT count(*) FROM key)"),
                     0);
    }
    case_log_end();
}

Test(store_retention, a_shorter_ttl_holds_for_what_was_stored_before, .timeout = 60)
{
    case_log_begin();
    case_log_append_at("room", 1, CASE_MS, "");
    case_rule.ttl = 5 * MINUTE_MS;
    case_log_expect("room", CASE_MS + 4 * MINUTE_MS, 1, 1, 1);
    case_log_expect("room", CASE_MS + 6 * MINUTE_MS, 2, 1, 0);
    case_log_append_at("room", 2, CASE_MS + 6 * MINUTE_MS, "");
    case_log_sweep(CASE_MS + 7 * MINUTE_MS, ROWS_ALL);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 1);
    case_log_expect("room", CASE_MS + 7 * MINUTE_MS, 2, 2, 1);
    case_log_end();
}

Test(store_retention, a_sweep_goes_on_where_the_pass_before_stopped, .timeout = 60)
{
    case_log_begin();
    char channel[32];
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(channel, sizeof channel, "room-%u", i);
        case_log_append(channel, 1, i == 20 ? 300 : 3);
    }
    uint64_t now_ms = CASE_MS + case_rule.ttl + 1;
    uint32_t passes = case_log_sweep(now_ms, 50);
    cr_expect_geq(passes, (300 + 39 * 3) / 50);
    cr_expect_leq(passes, 40);
    cr_expect_eq(case_query("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM channel)"), 0);
    cr_expect_eq(case_log_sweep(now_ms, 50), 1, "nothing is left to do");
    case_log_append("room-20", 301, 302);
    case_log_expect("room-20", CASE_MS, 301, 302, 2);
    case_log_end();
}

/* A clock that was put back makes a later message the older one. */
Test(store_retention, a_clock_that_goes_back_hides_nothing_behind_what_is_kept, .timeout = 60)
{
    uint64_t expiry_ms = CASE_MS + 10 * MINUTE_MS;
    case_log_begin();
    case_rule.ttl = 10 * MINUTE_MS;
    case_log_append_at("room", 1, CASE_MS + 50000, "");
    case_log_append_at("room", 2, CASE_MS, "");
    case_log_append_at("room", 3, CASE_MS + 5 * MINUTE_MS, "");
    struct store_job *read = case_read("room");
    case_log_run(read, expiry_ms + 1000);
    cr_expect_str_eq(case_offsets(read), "1 2 3", "2 expired first, but nobody may think that it never was");
    case_free(read);
    case_log_sweep(expiry_ms + 1000, ROWS_ALL);
    case_log_expect("room", expiry_ms + 1000, 1, 3, 3);
    case_log_sweep(CASE_MS + 80 * MINUTE_MS, ROWS_ALL);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 0);
    case_log_end();
}

/* Goal: messages and keys that were stamped with another year neither stay nor keep others for a year. */
Test(store_retention, what_is_ahead_of_the_clock_goes_with_what_came_next, .timeout = 60)
{
    const uint64_t year_ms = UINT64_C(365) * 24 * 60 * MINUTE_MS;
    case_log_begin();
    case_rule.ttl = 20 * MINUTE_MS;
    case_log_append_at("room", 1, CASE_MS, "a");
    for (uint64_t offset = 2; offset <= 4; offset++)
        case_log_append_at("room", offset, CASE_MS + year_ms, "b");
    for (uint64_t i = 1; i <= 10; i++)
        case_log_append_at("room", 4 + i, CASE_MS + i * MINUTE_MS, "b");
    case_log_sweep(CASE_MS + 20 * MINUTE_MS, ROWS_ALL);
    case_log_expect("room", CASE_MS + 20 * MINUTE_MS, 2, 14, 13);
    case_log_expect("room", CASE_MS + 21 * MINUTE_MS, 6, 14, 9);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 13);
    cr_expect_leq(case_query("SELECT sweep_ms FROM channel"), CASE_MS + 21 * MINUTE_MS, "it is known when to look");
    case_log_sweep(CASE_MS + 21 * MINUTE_MS, ROWS_ALL);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 9);
    cr_expect_eq(case_query("SELECT count(*) FROM key"), 0);
    cr_expect_eq(case_query("SELECT count = 9 AND bytes = (SELECT sum(bytes) FROM message) FROM channel"), 1);
    case_log_sweep(CASE_MS + 30 * MINUTE_MS, ROWS_ALL);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 0);
    case_log_end();
}
