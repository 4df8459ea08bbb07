/* tests/server/test_store_log.c - the durable log as tables: what comes back, what is left out, what is forgotten. No
 * thread, and time is passed in. */
#include "core/message.h"
#include "net/json.h"
#include "server/store_log.h"
#include "tests/support/store_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS UINT64_C(60000)
#define TEXT(s)   ((struct text){.at = (s), .count = sizeof(s) - 1})
#define ROWS_ALL  1000000

static struct store_log *store_log;
static struct counters counters;

static void open_log(void)
{
    char reason[512] = "";
    cr_assert_eq(store_log_open(&store_log, &counters, case_dir, false, reason, sizeof reason), RC_OK, "%s", reason);
}

static void begin(void)
{
    case_begin();
    counters = (struct counters){0};
    open_log();
}

static void reopen(void)
{
    store_log_close(store_log);
    open_log();
}

static void end(void)
{
    store_log_close(store_log);
    counter_add(&case_counters, COUNTER_messages_live, counter_get(&counters, COUNTER_messages_live));
    case_end();
}

/* Runs the job in a transaction of its own. */
static void run(struct store_job *job, uint64_t now_ms)
{
    cr_assert_eq(store_log_begin(store_log, job->kind == STORE_APPEND), RC_OK);
    cr_assert_eq(job->kind == STORE_APPEND ? store_log_append(store_log, job, now_ms)
                                           : store_log_read(store_log, job, now_ms),
                 RC_OK);
    cr_assert_eq(store_log_commit(store_log), RC_OK, "%s", store_log_reason(store_log));
}

static enum rc run_and_free(struct store_job *job, uint64_t now_ms)
{
    run(job, now_ms);
    enum rc rc = job->rc;
    case_free(job);
    return rc;
}

static void append(const char *channel, uint64_t first, uint64_t last)
{
    for (uint64_t offset = first; offset <= last; offset++)
        cr_assert_eq(run_and_free(case_append(channel, offset, "{\"a\":1}"), CASE_MS), RC_OK);
}

static void append_at(const char *channel, uint64_t offset, uint64_t time_ms, const char *key)
{
    struct store_job *job = case_append_text(channel, offset, TEXT("ev"), TEXT("x"), (struct text){0}, time_ms);
    snprintf(job->key, sizeof job->key, "%s", key);
    cr_assert_eq(run_and_free(job, time_ms), RC_OK);
}

/* Reads all, and what it expects of it. */
static void expect(const char *channel, uint64_t now_ms, uint64_t first, uint64_t last, uint32_t count)
{
    struct store_job *read = case_read(channel);
    run(read, now_ms);
    cr_expect_eq(read->rc, RC_OK);
    cr_expect_eq(read->first, first, "%s: first %llu", channel, (unsigned long long)read->first);
    cr_expect_eq(read->last, last, "%s: last %llu", channel, (unsigned long long)read->last);
    cr_expect_eq(read->messages_count, count, "%s: %s", channel, case_offsets(read));
    if (count > 0) cr_expect_eq(read->messages[0]->offset, first);
    case_free(read);
}

static enum rc read_rc(const char *channel, uint64_t now_ms)
{
    return run_and_free(case_read(channel), now_ms);
}

/* Sweeps in passes of so many rows; returns how many passes it took. */
static uint32_t sweep(uint64_t now_ms, uint32_t rows_max)
{
    bool has_more = true;
    uint32_t passes = 0;
    for (; has_more && passes < 100000; passes++) {
        cr_assert_eq(store_log_begin(store_log, true), RC_OK);
        cr_assert_eq(store_log_sweep(store_log, now_ms, rows_max, &has_more), RC_OK);
        cr_assert_eq(store_log_commit(store_log), RC_OK);
    }
    return passes;
}

/* ---- round trips ---- */

static const struct {
    struct text name;
    struct text data;
    struct text user_id;
} texts[] = {
    {TEXT("ev"), TEXT("hello"), TEXT("")},
    {TEXT("client-ev"), TEXT("{\"text\":\"a \\\"quoted\\\" \\\\ word\",\"n\":1.50}"), TEXT("user-7")},
    {TEXT(""), TEXT(""), TEXT("")},
    {TEXT("zero"), TEXT("a\0b\0"), TEXT("\0")},
    {TEXT("\x01\x1f\x7f\n\r\t"), TEXT("'; DROP TABLE message; --"), TEXT("O'Brien")},
    {TEXT("\xf0\x9f\x90\x98"),
     TEXT("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb \xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7"), TEXT("\xc3\xa9")},
    {TEXT("\xef\xbb\xbf"), TEXT("\xef\xbf\xbf\xef\xbf\xbe\xf4\x8f\xbf\xbf"), TEXT("\\u0000")},
};

Test(store_log, nasty_texts_come_back_equal_also_after_a_restart, .timeout = 60)
{
    enum { COUNT = sizeof texts / sizeof texts[0] };
    struct store_job *appends[COUNT];
    begin();
    for (uint32_t i = 0; i < COUNT; i++) {
        struct text user_id = i == 0 ? (struct text){0} : texts[i].user_id;
        appends[i] = case_append_text("room", i + 1, texts[i].name, texts[i].data, user_id, CASE_MS + i);
        run(appends[i], CASE_MS);
        cr_assert_eq(appends[i]->rc, RC_OK);
    }
    for (int round = 0; round < 2; round++, reopen()) {
        struct store_job *read = case_read("room");
        run(read, CASE_MS);
        cr_assert_eq(read->messages_count, COUNT);
        cr_expect_str_eq(read->epoch, "epoch001");
        for (uint32_t i = 0; i < COUNT; i++)
            case_expect_message(read->messages[i], appends[i]);
        case_free(read);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        case_free(appends[i]);
    end();
}

/* People look at the database: the texts in it are the decoded ones. */
Test(store_log, the_database_holds_decoded_texts, .timeout = 60)
{
    begin();
    struct store_job *job =
        case_append_text("room", 1, TEXT("n\"1"), TEXT("{\"a\":\"\\u00e9\"}"), TEXT("u"), CASE_MS);
    cr_assert_eq(run_and_free(job, CASE_MS), RC_OK);
    cr_expect_eq(case_query("SELECT count(*) FROM message JOIN channel ON id = channel WHERE channel.name = 'room'"
                            " AND app = '1001' AND message.name = 'n\"1' AND data = '{\"a\":\"\\u00e9\"}'"
                            " AND user_id = 'u' AND time_ms = 1700000000000"),
                 1);
    end();
}

Test(store_log, a_message_of_a_mebibyte_comes_back, .timeout = 60)
{
    enum { BYTES = 1 << 20 };
    char *data = malloc(BYTES);
    for (uint32_t i = 0; i < BYTES; i++)
        data[i] = (char)(i * 7 % 128);
    begin();
    struct store_job *append =
        case_append_text("room", 1, TEXT("ev"), (struct text){data, BYTES}, TEXT("u"), CASE_MS);
    struct store_job *read = case_read("room");
    run(append, CASE_MS);
    run(read, CASE_MS);
    cr_assert_eq(read->messages_count, 1);
    case_expect_message(read->messages[0], append);
    case_free(append);
    case_free(read);
    free(data);
    end();
}

/* ---- ranges ---- */

static const struct {
    uint64_t since;
    uint64_t before;
    uint32_t count_max;
    uint64_t bytes_max;
    bool is_from_end;
    const char *offsets;
} ranges[] = {
    {0, UINT64_MAX, 100, UINT64_MAX, false, "3 4 5 7 8 9"},
    {0, UINT64_MAX, 100, UINT64_MAX, true, "3 4 5 7 8 9"},
    {0, UINT64_MAX, 2, UINT64_MAX, false, "3 4"},
    {0, UINT64_MAX, 2, UINT64_MAX, true, "8 9"},
    {4, UINT64_MAX, 100, UINT64_MAX, false, "5 7 8 9"},
    {4, 8, 100, UINT64_MAX, false, "5 7"},
    {4, 8, 1, UINT64_MAX, true, "7"},
    {5, 7, 100, UINT64_MAX, false, ""},
    {9, UINT64_MAX, 100, UINT64_MAX, false, ""},
    {100, UINT64_MAX, 100, UINT64_MAX, true, ""},
    {UINT64_MAX, UINT64_MAX, 100, UINT64_MAX, false, ""},
    {0, 0, 100, UINT64_MAX, false, ""},
    {8, 7, 100, UINT64_MAX, true, ""},
    {0, UINT64_MAX, 100, 0, false, "3"}, /* one fits always */
    {0, UINT64_MAX, 100, 1, true, "9"},
    {0, UINT64_MAX, 0, UINT64_MAX, false, "3"},
};

Test(store_log, a_read_gets_the_messages_of_its_range_that_fit, .timeout = 60)
{
    begin();
    append("other", 1, 3);
    append("room", 3, 5);
    append("room", 7, 9); /* 6 could not be written */
    append("room2", 1, 3);
    for (uint32_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct store_job *read = case_read("room");
        read->since = ranges[i].since;
        read->before = ranges[i].before;
        read->count_max = ranges[i].count_max;
        read->bytes_max = ranges[i].bytes_max;
        read->is_from_end = ranges[i].is_from_end;
        run(read, CASE_MS);
        cr_expect_eq(read->rc, RC_OK);
        cr_expect_eq(read->first, 3);
        cr_expect_eq(read->last, 9);
        cr_expect_str_eq(case_offsets(read), ranges[i].offsets, "row %u: %s", i, case_offsets(read));
        case_free(read);
    }
    end();
}

Test(store_log, bytes_max_counts_whole_frames, .timeout = 60)
{
    begin();
    append("room", 1, 9);
    struct store_job *all = case_read("room");
    run(all, CASE_MS);
    for (uint32_t count = 1; count <= 9; count++) {
        struct store_job *read = case_read("room");
        read->bytes_max = (uint64_t)count * all->messages[0]->frame_bytes[FORM_EVENT] + count % 2;
        read->is_from_end = count % 2 == 0;
        run(read, CASE_MS);
        cr_expect_eq(read->messages_count, count);
        cr_expect_eq(read->messages[0]->offset, read->is_from_end ? 10 - count : 1);
        case_free(read);
    }
    case_free(all);
    end();
}

Test(store_log, channels_of_the_same_name_in_other_apps_are_others, .timeout = 60)
{
    begin();
    append("room", 1, 3);
    struct store_job *other = case_read("room");
    struct name name = name_of(1, TEXT("room"));
    other->app = "1002";
    other->channel = &name;
    cr_expect_eq(run_and_free(other, CASE_MS), RC_ENOENT);
    cr_expect_eq(read_rc("room2", CASE_MS), RC_ENOENT);
    end();
}

/* More than the channels that are remembered, in one transaction and in turns, and again after a restart. */
Test(store_log, many_channels_are_kept_apart, .timeout = 120)
{
    enum { CHANNELS = 3000, ROUNDS = 3 };
    char channel[32];
    begin();
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        cr_assert_eq(store_log_begin(store_log, true), RC_OK);
        for (uint32_t i = 0; i < CHANNELS; i++) {
            snprintf(channel, sizeof channel, "room-%u", i);
            struct store_job *job = case_append(channel, round * 10 + i, channel);
            cr_assert_eq(store_log_append(store_log, job, CASE_MS), RC_OK);
            cr_assert_eq(job->rc, RC_OK);
            case_free(job);
        }
        cr_assert_eq(store_log_commit(store_log), RC_OK);
    }
    for (uint32_t i = 0; i < CHANNELS; i += 7) {
        snprintf(channel, sizeof channel, "room-%u", i);
        expect(channel, CASE_MS, 10 + i, ROUNDS * 10 + i, ROUNDS);
    }
    reopen();
    expect("room-0", CASE_MS, 10, 30, ROUNDS);
    expect("room-2999", CASE_MS, 3009, 3029, ROUNDS);
    cr_expect_eq(case_query("SELECT sum(count) FROM channel"), CHANNELS * ROUNDS);
    cr_expect_eq(case_query("SELECT sum(c.bytes) = (SELECT sum(bytes) FROM message) FROM channel c"), 1);
    end();
}

/* ---- transactions ---- */

Test(store_log, a_transaction_that_is_rolled_back_leaves_nothing, .timeout = 60)
{
    begin();
    append("room", 1, 2);
    cr_assert_eq(store_log_begin(store_log, true), RC_OK);
    struct store_job *job = case_append("room", 3, "x"), *other = case_append("other", 1, "x");
    cr_assert_eq(store_log_append(store_log, job, CASE_MS), RC_OK);
    cr_assert_eq(store_log_append(store_log, other, CASE_MS), RC_OK);
    struct store_job *read = case_read("room");
    cr_assert_eq(store_log_read(store_log, read, CASE_MS), RC_OK);
    cr_expect_str_eq(case_offsets(read), "1 2 3", "a transaction sees what it wrote");
    case_free(read);
    store_log_rollback(store_log);
    expect("room", CASE_MS, 1, 2, 2);
    cr_expect_eq(read_rc("other", CASE_MS), RC_ENOENT);
    run(job, CASE_MS);
    cr_expect_eq(job->rc, RC_OK, "the same offset again, for it was not stored");
    expect("room", CASE_MS, 1, 3, 3);
    case_free(job);
    case_free(other);
    end();
}

Test(store_log, an_offset_that_does_not_grow_is_refused_and_the_others_of_its_transaction_are_kept, .timeout = 60)
{
    begin();
    append("room", 1, 5);
    cr_assert_eq(store_log_begin(store_log, true), RC_OK);
    const uint64_t offsets[] = {6, 6, 3, 9};
    for (uint32_t i = 0; i < 4; i++) {
        struct store_job *job = case_append("room", offsets[i], "again");
        cr_assert_eq(store_log_append(store_log, job, CASE_MS), RC_OK);
        cr_expect_eq(job->rc, i == 1 || i == 2 ? RC_ESTORE : RC_OK);
        case_free(job);
    }
    cr_assert_eq(store_log_commit(store_log), RC_OK);
    expect("room", CASE_MS, 1, 9, 7);
    end();
}

Test(store_log, another_epoch_replaces_what_was_stored, .timeout = 60)
{
    begin();
    append("room", 1, 5);
    append("other", 1, 5);
    struct store_job *job = case_append("room", 2, "new");
    snprintf(job->key, sizeof job->key, "k");
    memcpy(job->epoch, "epoch002", sizeof "epoch002");
    run(job, CASE_MS);
    cr_expect_eq(job->rc, RC_OK);
    case_free(job);
    for (int round = 0; round < 2; round++, reopen()) {
        struct store_job *read = case_read("room");
        run(read, CASE_MS);
        cr_expect_str_eq(read->epoch, "epoch002");
        cr_expect_str_eq(case_offsets(read), "2");
        cr_expect_eq(read->keys_count, 1);
        cr_expect_eq(read->last, 2);
        case_free(read);
        expect("other", CASE_MS, 1, 5, 5);
    }
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 6);
    end();
}

/* ---- keys ---- */

Test(store_log, keys_are_read_in_order_for_ten_minutes, .timeout = 60)
{
    begin();
    append_at("room", 1, CASE_MS, "first");
    append_at("room", 2, CASE_MS + MINUTE_MS, "");
    append_at("room", 3, CASE_MS + 2 * MINUTE_MS, "0123456789012345678901234567890123456789012345678901234567890123");
    for (uint32_t minutes = 0; minutes < 14; minutes++) {
        struct store_job *read = case_read("room");
        run(read, CASE_MS + minutes * MINUTE_MS);
        cr_expect_eq(read->messages_count, 3);
        cr_assert_eq(read->keys_count, minutes < 10 ? 2 : minutes < 12 ? 1 : 0, "minute %u", minutes);
        if (minutes < 10) {
            cr_expect_str_eq(read->keys[0].text, "first");
            cr_expect_eq(read->keys[0].offset, 1);
            cr_expect_eq(read->keys[0].time_ms, CASE_MS);
        }
        if (minutes < 12) {
            cr_expect_eq(strlen(read->keys[read->keys_count - 1].text), RECEIPT_KEY_BYTES_MAX);
            cr_expect_eq(read->keys[read->keys_count - 1].offset, 3);
        }
        case_free(read);
        if (minutes % 2 == 1) sweep(CASE_MS + minutes * MINUTE_MS, ROWS_ALL);
    }
    cr_expect_eq(case_query("SELECT count(*) FROM key"), 0);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 3);
    end();
}

Test(store_log, keys_outlive_their_messages, .timeout = 60)
{
    begin();
    case_rule.size = 2;
    case_rule.ttl = 1000;
    for (uint64_t offset = 1; offset <= 50; offset++)
        append_at("room", offset, CASE_MS, "key");
    sweep(CASE_MS + 5 * MINUTE_MS, ROWS_ALL);
    struct store_job *read = case_read("room");
    run(read, CASE_MS + 5 * MINUTE_MS);
    cr_expect_eq(read->rc, RC_OK);
    cr_expect_eq(read->keys_count, 50);
    cr_expect_eq(read->messages_count, 0);
    cr_expect_eq(read->last, 50);
    cr_expect_eq(read->first, 51);
    case_free(read);
    end();
}

/* ---- retention ---- */

static const struct {
    uint32_t size;
    uint32_t appends;
} sizes[] = {{1, 1}, {1, 5}, {2, 40}, {15, 100}, {16, 100}, {100, 1000}, {1000, 1003}};

Test(store_log, a_log_keeps_the_newest_and_exceeds_its_size_by_a_sixteenth_at_most, .timeout = 60)
{
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        begin();
        case_rule.size = sizes[i].size;
        for (uint64_t offset = 1; offset <= sizes[i].appends; offset++) {
            append("room", offset, offset);
            uint64_t least = offset < sizes[i].size ? offset : sizes[i].size;
            struct store_job *read = case_read("room");
            run(read, CASE_MS);
            cr_assert_geq(read->messages_count, least, "size %u, after %lu", sizes[i].size, offset);
            cr_assert_leq(read->messages_count, sizes[i].size + sizes[i].size / 16);
            cr_assert_eq(read->first, offset + 1 - read->messages_count);
            case_free(read);
        }
        cr_expect_eq(case_query("SELECT count = (SELECT count(*) FROM message) FROM channel"), 1);
        cr_expect_eq(case_query("SELECT bytes = (SELECT sum(bytes) FROM message) FROM channel"), 1);
        end();
    }
}

Test(store_log, a_log_exceeds_its_bytes_by_a_sixteenth_at_most_and_keeps_one_always, .timeout = 60)
{
    begin();
    struct store_job *job = case_append("room", 1, "{\"a\":1}");
    uint64_t frame = job->message->frame_bytes[FORM_EVENT];
    case_free(job);
    case_rule.bytes = 10 * frame;
    append("room", 1, 200);
    uint64_t bytes = case_query("SELECT sum(bytes) FROM message");
    cr_expect_leq(bytes, case_rule.bytes + case_rule.bytes / 16);
    cr_expect_geq(bytes, case_rule.bytes - 3 * frame);
    char large[5000];
    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = '\0';
    cr_assert_eq(run_and_free(case_append("room", 201, large), CASE_MS), RC_OK);
    expect("room", CASE_MS, 201, 201, 1);
    append("room", 202, 202);
    expect("room", CASE_MS, 202, 202, 1);
    end();
}

Test(store_log, a_rule_that_became_smaller_takes_effect_step_by_step, .timeout = 60)
{
    begin();
    case_rule.size = 10000;
    append("room", 1, 3000);
    case_rule.size = 10;
    append("room", 3001, 3001);
    expect("room", CASE_MS, 1025, 3001, 1977); /* 1024 rows go at a time */
    append("room", 3002, 3003);
    expect("room", CASE_MS, 2994, 3003, 10);
    end();
}

Test(store_log, expired_messages_are_not_read_and_then_swept, .timeout = 60)
{
    begin();
    case_rule.ttl = 60 * MINUTE_MS;
    for (uint64_t i = 0; i < 30; i++)
        append_at("room", i + 1, CASE_MS + i * MINUTE_MS, "");
    append_at("quiet", 7, CASE_MS, "");
    for (int round = 0; round < 2; round++) {
        expect("room", CASE_MS + 59 * MINUTE_MS, 1, 30, 30);
        expect("room", CASE_MS + 60 * MINUTE_MS, 2, 30, 29);
        expect("room", CASE_MS + 69 * MINUTE_MS, 11, 30, 20);
        if (round == 0) sweep(CASE_MS + 59 * MINUTE_MS, ROWS_ALL);
    }
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 31, "nothing was due");
    sweep(CASE_MS + 69 * MINUTE_MS, ROWS_ALL);
    expect("room", CASE_MS + 69 * MINUTE_MS, 11, 30, 20);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 20);
    cr_expect_eq(case_query("SELECT count(*) FROM channel"), 1, "the quiet one is forgotten");
    cr_expect_eq(case_query("SELECT count = 20 AND bytes = (SELECT sum(bytes) FROM message) FROM channel"), 1);
    cr_expect_eq(counter_get(&counters, COUNTER_store_expired), 11);
    end();
}

/* Its ttl is shorter than what keys need: then that counts. */
Test(store_log, a_channel_is_forgotten_when_its_last_message_and_its_keys_expired, .timeout = 60)
{
    begin();
    for (int with_sweeps = 0; with_sweeps < 2; with_sweeps++) {
        case_rule.ttl = 20 * MINUTE_MS;
        append_at("long", 41, CASE_MS, "");
        case_rule.ttl = 1000;
        append_at("short", 42, CASE_MS, "k");
        for (uint32_t minute = 0; minute < 25; minute++) {
            uint64_t now_ms = CASE_MS + minute * MINUTE_MS;
            if (with_sweeps) sweep(now_ms, ROWS_ALL);
            case_rule.ttl = 20 * MINUTE_MS;
            cr_expect_eq(read_rc("long", now_ms), minute < 20 ? RC_OK : RC_ENOENT, "minute %u", minute);
            case_rule.ttl = 1000;
            cr_expect_eq(read_rc("short", now_ms), minute < 10 ? RC_OK : RC_ENOENT, "minute %u", minute);
        }
        sweep(CASE_MS + 25 * MINUTE_MS, ROWS_ALL);
        cr_expect_eq(case_query("SELECT (SELECT count(*) FROM channel) + (SELECT count(*) FROM message)"
                                " + (SELECT count(*) FROM key)"),
                     0);
    }
    end();
}

Test(store_log, a_shorter_ttl_holds_for_what_was_stored_before, .timeout = 60)
{
    begin();
    append_at("room", 1, CASE_MS, "");
    case_rule.ttl = 5 * MINUTE_MS;
    expect("room", CASE_MS + 4 * MINUTE_MS, 1, 1, 1);
    expect("room", CASE_MS + 6 * MINUTE_MS, 2, 1, 0);
    append_at("room", 2, CASE_MS + 6 * MINUTE_MS, "");
    sweep(CASE_MS + 7 * MINUTE_MS, ROWS_ALL);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 1);
    expect("room", CASE_MS + 7 * MINUTE_MS, 2, 2, 1);
    end();
}

Test(store_log, a_sweep_goes_on_where_the_pass_before_stopped, .timeout = 60)
{
    begin();
    char channel[32];
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(channel, sizeof channel, "room-%u", i);
        append(channel, 1, i == 20 ? 300 : 3);
    }
    uint64_t now_ms = CASE_MS + case_rule.ttl + 1;
    uint32_t passes = sweep(now_ms, 50);
    cr_expect_geq(passes, (300 + 39 * 3) / 50);
    cr_expect_leq(passes, 40);
    cr_expect_eq(case_query("SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM channel)"), 0);
    cr_expect_eq(sweep(now_ms, 50), 1, "nothing is left to do");
    append("room-20", 301, 302);
    expect("room-20", CASE_MS, 301, 302, 2);
    end();
}

/* A clock that was put back makes a later message the older one. */
Test(store_log, a_clock_that_goes_back_hides_nothing_that_is_not_expired, .timeout = 60)
{
    begin();
    case_rule.ttl = 10 * MINUTE_MS;
    append_at("room", 1, CASE_MS + 60 * MINUTE_MS, "");
    append_at("room", 2, CASE_MS, "");
    append_at("room", 3, CASE_MS + 5 * MINUTE_MS, "");
    struct store_job *read = case_read("room");
    run(read, CASE_MS + 11 * MINUTE_MS);
    cr_expect_str_eq(case_offsets(read), "1 3");
    case_free(read);
    sweep(CASE_MS + 11 * MINUTE_MS, ROWS_ALL);
    expect("room", CASE_MS + 11 * MINUTE_MS, 1, 3, 2);
    sweep(CASE_MS + 80 * MINUTE_MS, ROWS_ALL);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 0);
    end();
}
