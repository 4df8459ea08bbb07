/* tests/server/store/test_store_end.c - after whatever end: either all that was committed is there,
 * or new epochs begin.
 *
 * Method: a child commits and dies, as by SIGKILL; then its log is damaged, cut or deleted, in all places. */
#include "tests/support/store_log_case.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGES     5 /* each a transaction */
#define HEADER_BYTES 32
#define FRAME_BYTES  (24 + 4096)

/* The database knows the channel, with its first message. */
static void begin(void)
{
    case_begin();
    case_log_open();
    case_log_append("room", 1, 1);
    store_log_close(case_log);
}

static void commit_some(void)
{
    case_log_open();
    case_log_append("room", 2, MESSAGES);
}

static void run_sql(const char *sql)
{
    sqlite3 *db;
    if (sqlite3_open(case_path("ringcast.db"), &db) != SQLITE_OK) _exit(1);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) _exit(1);
}

/* Opens the log: how many messages are there? 0: a new epoch has begun. */
static uint64_t messages_left(void)
{
    case_log_open();
    struct store_job *read = case_read("room");
    case_log_run(read, CASE_MS);
    cr_assert_eq(read->rc, RC_OK);
    uint64_t count = strcmp(read->epoch, "epoch001") == 0 ? read->last : 0;
    if (count > 0) cr_expect_eq(read->messages_count, count);
    case_free(read);
    store_log_close(case_log);
    return count;
}

static void end(void)
{
    counter_add(&case_counters, COUNTER_messages_live, counter_get(&case_log_counters, COUNTER_messages_live));
    case_log_counters = (struct counters){0};
    case_end();
}

/* ---- ends that lose nothing ---- */

Test(store_end, a_kill_keeps_the_epoch, .timeout = 60)
{
    begin();
    case_in_child(commit_some);
    cr_expect_eq(messages_left(), MESSAGES);
    cr_expect_eq(messages_left(), MESSAGES, "and a proper end");
    case_in_child(case_log_open);
    cr_expect_eq(messages_left(), MESSAGES, "one that has only been opened");
    end();
}

static void commit_after_a_round(void)
{
    case_log_open();
    case_log_append("room", 2, MESSAGES - 1);
    run_sql("PRAGMA wal_checkpoint(RESTART)");
    case_log_append("room", MESSAGES, MESSAGES); /* over the first frames: commits of the earlier round stay behind */
}

static void leave_a_transaction_open(void)
{
    commit_some();
    run_sql("PRAGMA cache_size = 2; BEGIN;"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
            " INSERT INTO message SELECT 9, i, 1, 1, 'x', NULL, hex(randomblob(1000)) FROM n");
}

/* Frames of an earlier round of the log, which were checkpointed; those of a transaction that never ended. */
Test(store_end, what_stands_behind_the_last_commit_is_no_loss, .timeout = 60)
{
    void (*const acts[])(void) = {commit_after_a_round, leave_a_transaction_open};
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        size_t bytes;
        begin();
        case_in_child(acts[i]);
        char *wal = case_read_file("ringcast.db-wal", &bytes);
        const char *last_frame = wal + bytes - FRAME_BYTES;
        if (i == 0) cr_assert_neq(memcmp(wal + 16, last_frame + 8, 8), 0, "the last has salts of its own");
        if (i == 1) cr_assert_gt(bytes, HEADER_BYTES + 100 * FRAME_BYTES, "it has reached the file");
        free(wal);
        cr_expect_eq(messages_left(), MESSAGES);
        end();
    }
}

/* ---- damage ---- */

/* Goal: whichever bit of the log is wrong, nobody is given an offset twice.
 * Method: only what a torn end may take, the last transaction, may be missing in the same epoch. */
Test(store_end, a_wrong_bit_in_the_log_begins_new_epochs, .timeout = 120)
{
    static const size_t places[] = {0, 5, 10, 17, 24, 3000}; /* in a frame: each of its numbers, and its page */
    size_t db_bytes, wal_bytes;
    uint32_t renewed = 0, torn = 0;
    begin();
    case_in_child(commit_some);
    char *db = case_read_file("ringcast.db", &db_bytes), *wal = case_read_file("ringcast.db-wal", &wal_bytes);
    size_t frames = (wal_bytes - HEADER_BYTES) / FRAME_BYTES;
    for (size_t trial = 0; trial < (1 + frames) * 6; trial++) {
        size_t at = trial < 6 ? 5 * trial : HEADER_BYTES + (trial / 6 - 1) * FRAME_BYTES + places[trial % 6];
        unlink(case_path("stopped"));
        case_write_file("ringcast.db", db, db_bytes);
        wal[at] ^= 0x10;
        case_write_file("ringcast.db-wal", wal, wal_bytes);
        wal[at] ^= 0x10;
        uint64_t left = messages_left();
        bool is_in_last_frame = at >= HEADER_BYTES + (frames - 1) * FRAME_BYTES;
        cr_expect(left == (is_in_last_frame ? MESSAGES - 1 : 0), "bit at %zu of %zu: %lu", at, wal_bytes, left);
        renewed += left == 0;
        torn += left > 0;
    }
    cr_expect_gt(renewed, 40);
    cr_expect_eq(torn, 6);
    free(db);
    free(wal);
    end();
}

/* Each length, in steps that meet whole frames and parts of them. */
Test(store_end, a_torn_end_is_no_loss, .timeout = 60)
{
    size_t db_bytes, wal_bytes;
    begin();
    case_in_child(commit_some);
    char *db = case_read_file("ringcast.db", &db_bytes), *wal = case_read_file("ringcast.db-wal", &wal_bytes);
    for (size_t cut = 0; cut < 2 * FRAME_BYTES; cut += FRAME_BYTES / 4) {
        unlink(case_path("stopped"));
        case_write_file("ringcast.db", db, db_bytes);
        case_write_file("ringcast.db-wal", wal, wal_bytes - cut);
        cr_expect_geq(messages_left(), MESSAGES - 2, "%zu bytes are missing", cut);
    }
    free(db);
    free(wal);
    end();
}

Test(store_end, a_log_that_is_missing_begins_new_epochs, .timeout = 60)
{
    for (int is_empty = 0; is_empty < 2; is_empty++) {
        begin();
        case_in_child(case_log_open);
        cr_assert_eq(is_empty ? truncate(case_path("ringcast.db-wal"), 0) : unlink(case_path("ringcast.db-wal")), 0);
        cr_expect_eq(messages_left(), 0);
        end();
    }
}

static void add_channels(void)
{
    run_sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
            " INSERT INTO channel (app, name, epoch, last, last_ms, ttl_ms, count, bytes, sweep_ms, whole_from)"
            " SELECT '1001', i, 'epoch001', 1, 1, 1, 0, 0, 1, 0 FROM n");
}

/* Goal: a doubt outlives a start that is cut off before it has written anything, though what it saw is gone then.
 * Method: new epochs for so many channels are larger than files may be. */
Test(store_end, a_doubt_is_not_forgotten, .timeout = 60)
{
    char reason[512];
    struct rlimit limit;
    struct counters counters = {0};
    struct store_log *log;
    begin();
    case_in_child(add_channels);
    cr_expect_eq(messages_left(), 1);
    cr_assert_eq(unlink(case_path("stopped")), 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 40000; /* SQLite needs 32 KiB to open it */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_eq(store_log_open(&log, &counters, case_dir, true, reason, sizeof reason), RC_EINVAL);
    limit.rlim_cur = before;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct stat status;
    cr_expect_eq(stat(case_path("unsynced"), &status), 0, "%s", reason);
    cr_expect_eq(messages_left(), 0);
    end();
}

/* ---- the database itself ---- */

Test(store_end, an_older_database_that_is_put_back_begins_new_epochs, .timeout = 60)
{
    size_t bytes;
    begin();
    case_log_open();
    case_log_append("room", 2, 2);
    store_log_close(case_log);
    char *older = case_read_file("ringcast.db", &bytes);
    cr_expect_eq(messages_left(), 2);
    case_log_open();
    case_log_append("room", 3, 3);
    store_log_close(case_log);
    case_write_file("ringcast.db", older, bytes);
    cr_expect_eq(messages_left(), 0);
    free(older);
    end();
}

Test(store_end, a_mark_that_is_missing_or_wrong_begins_new_epochs, .timeout = 60)
{
    for (int is_wrong = 0; is_wrong < 2; is_wrong++) {
        begin();
        case_log_open();
        case_log_append("room", 2, 2);
        store_log_close(case_log);
        cr_expect_eq(messages_left(), 2);
        if (is_wrong) {
            case_write_file("stopped", "7\n", 2);
        } else {
            cr_assert_eq(unlink(case_path("stopped")), 0);
        }
        cr_expect_eq(messages_left(), 0);
        end();
    }
}
