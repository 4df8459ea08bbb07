/* tests/server/store/test_store_upgrade.c - databases of earlier versions, each made by the program of that version,
 * and kept in tests/server/store/fixtures: they are copied, become the present version, and go on. */
#include "core/message.h"
#include "tests/support/store_log_case.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERSION_1_MS UINT64_C(1796044181700) /* right after its last message */

/* A directory with the database of that version. */
static void begin(int version)
{
    char fixture[256];
    size_t count;
    case_begin();
    snprintf(fixture, sizeof fixture, FIXTURES "/store_version_%d.db", version);
    char *bytes = case_read_file(fixture, &count);
    case_write_file("ringcast.db", bytes, count);
    free(bytes);
}

static void expect_texts(const char *channel, uint64_t now_ms, const char *const *texts, uint32_t count)
{
    struct store_job *read = case_read(channel);
    case_log_run(read, now_ms);
    cr_assert_eq(read->rc, RC_OK);
    cr_assert_eq(read->messages_count, count, "%s: %s", channel, case_offsets(read));
    for (uint32_t i = 0; i < count; i++) {
        const struct message *message = read->messages[i];
        struct text data = message_part_text(message, message->data);
        cr_expect(data.count == strlen(texts[i]) && memcmp(data.at, texts[i], data.count) == 0, "%.*s",
                  (int)data.count, data.at);
    }
    case_free(read);
}

static void expect_version_1(uint64_t now_ms)
{
    static const char *const orders[] = {"\"order 1\"", "\"order 2\"", "\"order 3\"", "\"order 4\"", "\"order 5\""};
    static const char *const lobby[] = {"\"Ann: hello 1 \xc3\xa9\\\"\\\\\"", "\"Ann: hello 2 \xc3\xa9\\\"\\\\\"",
                                        "\"Ann: hello 3 \xc3\xa9\\\"\\\\\"", "\"from the backend\""};
    static const char *const presence[] = {"\"{\\\"text\\\":\\\"hi\\\"}\""};
    expect_texts("orders", now_ms, orders, 5);
    expect_texts("lobby", now_ms, lobby, 4);
    expect_texts("presence-a", now_ms, presence, 1);
    struct store_job *read = case_read("orders");
    case_log_run(read, now_ms);
    cr_expect_str_eq(read->epoch, "fbk1vvxi");
    cr_assert_eq(read->keys_count, 1);
    cr_expect_str_eq(read->keys[0].text, "border-5");
    case_free(read);
    cr_expect_eq(case_query("SELECT count(*) FROM key WHERE (channel < 0) = (text = 'cid-1')"), 2);
    cr_expect_eq(case_query("SELECT count(*) FROM channel WHERE eviction = 9223372036854775807 - bytes"), 3);
}

static uint64_t query_copy(const char *sql)
{
    return case_query_file("ringcast.db.version-1", sql);
}

static void expect_copy(uint64_t messages)
{
    struct stat status;
    cr_expect_eq(query_copy("PRAGMA user_version"), 1);
    cr_expect_eq(query_copy("PRAGMA application_id"), 0x52434c47);
    cr_expect_eq(query_copy("SELECT count(*) FROM message"), messages);
    cr_assert_eq(stat(case_path("ringcast.db.version-1"), &status), 0);
    cr_expect_eq(status.st_mode & 0777, 0600);
    cr_expect_neq(stat(case_path("ringcast.db.copy"), &status), 0);
}

Test(store_upgrade, version_1_becomes_the_present_one_and_a_copy_stays, .timeout = 60)
{
    begin(1);
    for (int round = 0; round < 2; round++) {
        case_log_open();
        expect_version_1(VERSION_1_MS);
        expect_copy(10);
        cr_expect_eq(case_query("PRAGMA user_version"), 2);
        store_log_close(case_log);
    }
    case_log_open();
    struct store_job *job =
        case_append_text("orders", 6, text_of("ev"), text_of("six"), (struct text){0}, VERSION_1_MS);
    snprintf(job->epoch, sizeof job->epoch, "fbk1vvxi");
    cr_expect_eq(case_log_run_and_free(job, VERSION_1_MS), RC_OK);
    case_log_reopen();
    case_log_expect("orders", VERSION_1_MS, 1, 6, 6);
    case_log_end();
}

/* Goal: a ringcast of version 1, which knows no better than to read the head of the file, refuses it, though it was
 * never closed. */
Test(store_upgrade, the_version_stands_in_the_file_at_once, .timeout = 60)
{
    uint8_t head[100] = {0};
    begin(1);
    case_in_child(case_log_open);
    int file = open(case_path("ringcast.db"), O_RDONLY);
    cr_assert_eq(read(file, head, sizeof head), sizeof head);
    close(file);
    cr_expect_eq(head[63], 2);
    case_log_open();
    expect_version_1(VERSION_1_MS);
    case_log_end();
}

/* Goal: an upgraded database and a new one are the same. */
Test(store_upgrade, the_tables_are_those_of_a_new_database, .timeout = 60)
{
    static const char tables[] = "SELECT sum(length(sql)) FROM sqlite_master";
    case_log_begin();
    uint64_t length = case_query(tables);
    case_log_end();
    begin(1);
    case_log_open();
    cr_expect_eq(case_query(tables), length);
    case_log_end();
}

static void leave_in_the_log(void)
{
    sqlite3 *db;
    sqlite3_open(case_path("ringcast.db"), &db);
    _exit(sqlite3_exec(db,
                       "INSERT INTO message VALUES (1, 6, 1796044181600, 80, 'ev', NULL, 'six');"
                       "UPDATE channel SET last = 6, count = 6 WHERE id = 1",
                       NULL, NULL, NULL));
}

/* Goal: what a killed server has left in its log is upgraded, and copied, too. */
Test(store_upgrade, what_stands_in_the_log_is_upgraded_too, .timeout = 60)
{
    begin(1);
    case_in_child(leave_in_the_log);
    case_log_open();
    case_log_expect("orders", VERSION_1_MS, 1, 6, 6);
    expect_copy(11);
    case_log_end();
}

/* The database is as it was, and the next start finds it so. */
Test(store_upgrade, no_upgrade_without_a_copy, .timeout = 60)
{
    char reason[512];
    struct counters counters;
    struct store_log *log;
    begin(1);
    cr_assert_eq(mkdir(case_path("ringcast.db.version-1"), 0700), 0);
    cr_expect_eq(store_log_open(&log, &counters, case_dir, false, reason, sizeof reason), RC_EINVAL);
    cr_expect(strstr(reason, "from version 1 to 2, but no copy of it can be saved first: Is a directory") != NULL,
              "%s", reason);
    cr_expect_eq(case_query("PRAGMA user_version"), 1);
    cr_assert_eq(rmdir(case_path("ringcast.db.version-1")), 0);
    case_log_open();
    expect_version_1(VERSION_1_MS);
    case_log_end();
}
