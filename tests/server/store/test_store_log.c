/* tests/server/store/test_store_log.c - the durable log as tables: what comes back, what is left out. */
#include "core/message.h"
#include "tests/support/store_log_case.h"

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_MS UINT64_C(60000)
#define TEXT(s)   ((struct text){.at = (s), .count = sizeof(s) - 1})
#define ROWS_ALL  1000000

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
    case_log_begin();
    for (uint32_t i = 0; i < COUNT; i++) {
        struct text user_id = i == 0 ? (struct text){0} : texts[i].user_id;
        appends[i] = case_append_text("room", i + 1, texts[i].name, texts[i].data, user_id, CASE_MS + i);
        case_log_run(appends[i], CASE_MS);
        cr_assert_eq(appends[i]->rc, RC_OK);
    }
    for (int round = 0; round < 2; round++, case_log_reopen()) {
        struct store_job *read = case_read("room");
        case_log_run(read, CASE_MS);
        cr_assert_eq(read->messages_count, COUNT);
        cr_expect_str_eq(read->epoch, "epoch001");
        for (uint32_t i = 0; i < COUNT; i++)
            case_expect_message(read->messages[i], appends[i]);
        case_free(read);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        case_free(appends[i]);
    case_log_end();
}

/* People look at the database: the texts in it are the decoded ones. */
Test(store_log, the_database_holds_decoded_texts, .timeout = 60)
{
    case_log_begin();
    struct store_job *job =
        case_append_text("room", 1, TEXT("n\"1"), TEXT("{\"a\":\"\\u00e9\"}"), TEXT("u"), CASE_MS);
    cr_assert_eq(case_log_run_and_free(job, CASE_MS), RC_OK);
    cr_expect_eq(case_query("SELECT count(*) FROM message JOIN channel ON id = channel WHERE channel.name = 'room'"
                            " AND app = '1001' AND message.name = 'n\"1' AND data = '{\"a\":\"\\u00e9\"}'"
                            " AND user_id = 'u' AND time_ms = 1700000000000"),
                 1);
    case_log_end();
}

Test(store_log, a_message_of_a_mebibyte_comes_back, .timeout = 60)
{
    enum { BYTES = 1 << 20 };
    char *data = malloc(BYTES);
    for (uint32_t i = 0; i < BYTES; i++)
        data[i] = (char)(i * 7 % 128);
    case_log_begin();
    struct store_job *append =
        case_append_text("room", 1, TEXT("ev"), (struct text){data, BYTES}, TEXT("u"), CASE_MS);
    struct store_job *read = case_read("room");
    case_log_run(append, CASE_MS);
    case_log_run(read, CASE_MS);
    cr_assert_eq(read->messages_count, 1);
    case_expect_message(read->messages[0], append);
    case_free(append);
    case_free(read);
    free(data);
    case_log_end();
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
    case_log_begin();
    case_log_append("other", 1, 3);
    case_log_append("room", 3, 5);
    case_log_append("room", 7, 9); /* 6 could not be written */
    case_log_append("room2", 1, 3);
    for (uint32_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        struct store_job *read = case_read("room");
        read->since = ranges[i].since;
        read->before = ranges[i].before;
        read->count_max = ranges[i].count_max;
        read->bytes_max = ranges[i].bytes_max;
        read->is_from_end = ranges[i].is_from_end;
        case_log_run(read, CASE_MS);
        cr_expect_eq(read->rc, RC_OK);
        cr_expect_eq(read->first, 3);
        cr_expect_eq(read->last, 9);
        cr_expect_str_eq(case_offsets(read), ranges[i].offsets, "row %u: %s", i, case_offsets(read));
        case_free(read);
    }
    case_log_end();
}

Test(store_log, bytes_max_counts_whole_frames, .timeout = 60)
{
    case_log_begin();
    case_log_append("room", 1, 9);
    struct store_job *all = case_read("room");
    case_log_run(all, CASE_MS);
    for (uint32_t count = 1; count <= 9; count++) {
        struct store_job *read = case_read("room");
        read->bytes_max = (uint64_t)count * all->messages[0]->frame_bytes[FORM_EVENT] + count % 2;
        read->is_from_end = count % 2 == 0;
        case_log_run(read, CASE_MS);
        cr_expect_eq(read->messages_count, count);
        cr_expect_eq(read->messages[0]->offset, read->is_from_end ? 10 - count : 1);
        case_free(read);
    }
    case_free(all);
    case_log_end();
}

Test(store_log, channels_of_the_same_name_in_other_apps_are_others, .timeout = 60)
{
    case_log_begin();
    case_log_append("room", 1, 3);
    struct store_job *other = case_read("room");
    struct name name = name_of(1, TEXT("room"));
    other->app = "1002";
    other->channel = &name;
    cr_expect_eq(case_log_run_and_free(other, CASE_MS), RC_ENOENT);
    cr_expect_eq(case_log_read_rc("room2", CASE_MS), RC_ENOENT);
    case_log_end();
}

/* More than the channels that are remembered, in one transaction and in turns, and again after a restart. */
Test(store_log, many_channels_are_kept_apart, .timeout = 120)
{
    enum { CHANNELS = 3000, ROUNDS = 3 };
    char channel[32];
    case_log_begin();
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        cr_assert_eq(store_log_begin(case_log, true), RC_OK);
        for (uint32_t i = 0; i < CHANNELS; i++) {
            snprintf(channel, sizeof channel, "room-%u", i);
            struct store_job *job = case_append(channel, round * 10 + i, channel);
            cr_assert_eq(store_log_append(case_log, job, CASE_MS), RC_OK);
            cr_assert_eq(job->rc, RC_OK);
            case_free(job);
        }
        cr_assert_eq(store_log_commit(case_log), RC_OK);
    }
    for (uint32_t i = 0; i < CHANNELS; i += 7) {
        snprintf(channel, sizeof channel, "room-%u", i);
        case_log_expect(channel, CASE_MS, 10 + i, ROUNDS * 10 + i, ROUNDS);
    }
    case_log_reopen();
    case_log_expect("room-0", CASE_MS, 10, 30, ROUNDS);
    case_log_expect("room-2999", CASE_MS, 3009, 3029, ROUNDS);
    cr_expect_eq(case_query("SELECT sum(count) FROM channel"), CHANNELS * ROUNDS);
    cr_expect_eq(case_query("SELECT sum(c.bytes) = (SELECT sum(bytes) FROM message) FROM channel c"), 1);
    case_log_end();
}

/* ---- transactions ---- */

Test(store_log, a_transaction_that_is_rolled_back_leaves_nothing, .timeout = 60)
{
    case_log_begin();
    case_log_append("room", 1, 2);
    cr_assert_eq(store_log_begin(case_log, true), RC_OK);
    struct store_job *job = case_append("room", 3, "x"), *other = case_append("other", 1, "x");
    cr_assert_eq(store_log_append(case_log, job, CASE_MS), RC_OK);
    cr_assert_eq(store_log_append(case_log, other, CASE_MS), RC_OK);
    struct store_job *read = case_read("room");
    cr_assert_eq(store_log_read(case_log, read, CASE_MS), RC_OK);
    cr_expect_str_eq(case_offsets(read), "1 2 3", "a transaction sees what it wrote");
    case_free(read);
    store_log_rollback(case_log);
    case_log_expect("room", CASE_MS, 1, 2, 2);
    cr_expect_eq(case_log_read_rc("other", CASE_MS), RC_ENOENT);
    case_log_run(job, CASE_MS);
    cr_expect_eq(job->rc, RC_OK, "the same offset again, for it was not stored");
    case_log_expect("room", CASE_MS, 1, 3, 3);
    case_free(job);
    case_free(other);
    case_log_end();
}

Test(store_log, an_offset_that_does_not_grow_is_refused_and_the_others_of_its_transaction_are_kept, .timeout = 60)
{
    case_log_begin();
    case_log_append("room", 1, 5);
    cr_assert_eq(store_log_begin(case_log, true), RC_OK);
    const uint64_t offsets[] = {6, 6, 3, 9};
    for (uint32_t i = 0; i < 4; i++) {
        struct store_job *job = case_append("room", offsets[i], "again");
        cr_assert_eq(store_log_append(case_log, job, CASE_MS), RC_OK);
        cr_expect_eq(job->rc, i == 1 || i == 2 ? RC_ESTORE : RC_OK);
        case_free(job);
    }
    cr_assert_eq(store_log_commit(case_log), RC_OK);
    case_log_expect("room", CASE_MS, 1, 9, 7);
    case_log_end();
}

Test(store_log, another_epoch_replaces_what_was_stored, .timeout = 60)
{
    case_log_begin();
    case_log_append("room", 1, 5);
    case_log_append("other", 1, 5);
    struct store_job *job = case_append("room", 2, "new");
    snprintf(job->key, sizeof job->key, "k");
    memcpy(job->epoch, "epoch002", sizeof "epoch002");
    case_log_run(job, CASE_MS);
    cr_expect_eq(job->rc, RC_OK);
    case_free(job);
    for (int round = 0; round < 2; round++, case_log_reopen()) {
        struct store_job *read = case_read("room");
        case_log_run(read, CASE_MS);
        cr_expect_str_eq(read->epoch, "epoch002");
        cr_expect_str_eq(case_offsets(read), "2");
        cr_expect_eq(read->keys_count, 1);
        cr_expect_eq(read->last, 2);
        case_free(read);
        case_log_expect("other", CASE_MS, 1, 5, 5);
    }
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 6);
    case_log_end();
}

static void expect_epoch(const char *channel, bool is_first)
{
    struct store_job *read = case_read(channel);
    case_log_run(read, CASE_MS);
    cr_expect_eq(strcmp(read->epoch, "epoch001") == 0, is_first, "%s: %s", channel, read->epoch);
    cr_expect_eq(read->messages_count, 3);
    case_free(read);
}

/* Goal: who was away while a channel was not durable is not told that it missed nothing. */
Test(store_log, a_channel_that_is_not_durable_any_more_begins_a_new_epoch, .timeout = 60)
{
    struct history_rule items[] = {{.pattern = (char[]){"a*"}, .durable = true},
                                   {.pattern = (char[]){"b"}},
                                   {.pattern = (char[]){"*b*"}, .durable = true}};
    struct history_rule_list rules = {.items = items, .count = 3};
    static const struct {
        const char *channel;
        bool is_durable;
    } rows[] = {{"a", true}, {"ab", true}, {"b", false}, {"bb", true}, {"c", false}};
    case_log_begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        case_log_append(rows[i].channel, 1, 3);
    cr_expect_eq(store_log_apply_rules(case_log, &rules), RC_OK);
    case_log_reopen();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_epoch(rows[i].channel, rows[i].is_durable);
    case_log_end();
}

/* ---- losses ---- */

static void lose(const char *channel, const char *epoch, uint64_t whole_from)
{
    struct store_job *loss = case_read(channel);
    loss->kind = STORE_LOSS;
    loss->whole_from = whole_from;
    snprintf(loss->epoch, sizeof loss->epoch, "%s", epoch);
    cr_expect_eq(case_log_run_and_free(loss, CASE_MS), RC_OK);
}

static void expect_whole_from(const char *channel, uint64_t whole_from)
{
    struct store_job *read = case_read(channel);
    case_log_run(read, CASE_MS);
    cr_assert_eq(read->rc, RC_OK);
    cr_expect_eq(read->whole_from, whole_from, "%llu", (unsigned long long)read->whole_from);
    case_free(read);
}

/* Goal: what is missing is known as long as its epoch is, also after a restart. */
Test(store_log, a_loss_is_noted_of_what_is_stored, .timeout = 60)
{
    case_log_begin();
    lose("room", "epoch001", 1); /* nothing is: nobody can come back to it */
    cr_expect_eq(case_log_read_rc("room", CASE_MS), RC_ENOENT);
    case_log_append("room", 1, 3);
    expect_whole_from("room", 0);
    lose("room", "another1", 9);
    expect_whole_from("room", 0);
    lose("room", "epoch001", 4);
    case_log_reopen();
    expect_whole_from("room", 4);
    case_log_expect("room", CASE_MS, 1, 3, 3);
    struct store_job *next = case_append("room", 4, "x");
    next->whole_from = 5;
    cr_expect_eq(case_log_run_and_free(next, CASE_MS), RC_OK);
    case_log_reopen();
    expect_whole_from("room", 5);
    struct store_job *anew = case_append("room", 1, "x");
    snprintf(anew->epoch, sizeof anew->epoch, "epoch002");
    cr_expect_eq(case_log_run_and_free(anew, CASE_MS), RC_OK);
    expect_whole_from("room", 0);
    case_log_end();
}

/* ---- keys ---- */

Test(store_log, keys_are_read_in_order_for_ten_minutes, .timeout = 60)
{
    case_log_begin();
    case_log_append_at("room", 1, CASE_MS, "first");
    case_log_append_at("room", 2, CASE_MS + MINUTE_MS, "");
    case_log_append_at("room", 3, CASE_MS + 2 * MINUTE_MS,
                       "01234567890123456789012345678901234567890123456789012345678901234");
    for (uint32_t minutes = 0; minutes < 14; minutes++) {
        struct store_job *read = case_read("room");
        case_log_run(read, CASE_MS + minutes * MINUTE_MS);
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
        if (minutes % 2 == 1) case_log_sweep(CASE_MS + minutes * MINUTE_MS, ROWS_ALL);
    }
    cr_expect_eq(case_query("SELECT count(*) FROM key"), 0);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 3);
    case_log_end();
}

/* Those of clients, who may be anybody, hide none of a backend's, are cut like them and go with their epoch. */
Test(store_log, keys_of_clients_and_of_backends_are_kept_apart, .timeout = 60)
{
    char key[16];
    case_log_begin();
    for (uint64_t offset = 1; offset <= 40; offset++) {
        snprintf(key, sizeof key, "%c%lu", offset <= 2 ? RECEIPT_LETTER_BACKEND : RECEIPT_LETTER_CLIENT, offset);
        case_log_append_at("room", offset, CASE_MS + offset, key);
    }
    case_log_append_at("other", 1, CASE_MS, "c1");
    case_log_reopen();
    struct store_job *read = case_read("room");
    read->keys_max = 5;
    case_log_run(read, CASE_MS + MINUTE_MS);
    cr_assert_eq(read->keys_count, 2 + 5);
    static const char *const expected[] = {"b1", "b2", "c36", "c37", "c38", "c39", "c40"};
    for (uint32_t i = 0; i < 7; i++)
        cr_expect_str_eq(read->keys[i].text, expected[i]);
    case_free(read);
    case_log_sweep(CASE_MS + 10 * MINUTE_MS + 20, 7);
    cr_expect_eq(case_query("SELECT count(*) FROM key"), 20, "two kinds, each up to what is not expired");
    struct store_job *anew = case_append("room", 1, "");
    snprintf(anew->epoch, sizeof anew->epoch, "epoch002");
    cr_expect_eq(case_log_run_and_free(anew, CASE_MS + 10 * MINUTE_MS), RC_OK);
    cr_expect_eq(case_query("SELECT count(*) FROM key"), 0, "the other channel's is expired");
    case_log_end();
}

Test(store_log, keys_outlive_their_messages, .timeout = 60)
{
    case_log_begin();
    case_rule.size = 2;
    case_rule.ttl = 1000;
    for (uint64_t offset = 1; offset <= 50; offset++)
        case_log_append_at("room", offset, CASE_MS, "key");
    case_log_sweep(CASE_MS + 5 * MINUTE_MS, ROWS_ALL);
    struct store_job *read = case_read("room");
    case_log_run(read, CASE_MS + 5 * MINUTE_MS);
    cr_expect_eq(read->rc, RC_OK);
    cr_expect_eq(read->keys_count, 50);
    cr_expect_eq(read->messages_count, 0);
    cr_expect_eq(read->last, 50);
    cr_expect_eq(read->first, 51);
    case_free(read);
    case_log_end();
}

/* ---- trying again ---- */

static void run_elsewhere(const char *sql)
{
    char path[128];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/ringcast.db", case_dir);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* Goal: what a probe has begun it ends, also when it fails behind its BEGIN; else no later one could begin. */
Test(store_log, a_probe_that_fails_half_way_leaves_no_transaction, .timeout = 30)
{
    case_log_begin();
    run_elsewhere("CREATE TRIGGER no BEFORE UPDATE ON state BEGIN SELECT RAISE(ABORT, 'no'); END");
    for (uint32_t i = 0; i < 3; i++) {
        cr_expect_eq(store_log_probe(case_log), RC_ESTORE);
    }
    run_elsewhere("DROP TRIGGER no"); /* which waits for a transaction of ours in vain */
    cr_expect_eq(store_log_probe(case_log), RC_OK, "%s", store_log_reason(case_log));
    case_log_append("room", 1, 3);
    case_log_expect("room", CASE_MS, 1, 3, 3);
    case_log_end();
}
