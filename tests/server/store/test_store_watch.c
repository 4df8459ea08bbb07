/* tests/server/store/test_store_watch.c - files that are removed, moved or replaced while the durable log is open: it
 * is noticed, nothing is written meanwhile, and what is somebody else's is left alone at the end. */
#include "tests/support/store_log_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_there(void)
{
    cr_expect_eq(store_log_look(case_log), RC_OK, "%s", store_log_reason(case_log));
    cr_expect_eq(store_log_begin(case_log, true), RC_OK);
    cr_expect_eq(store_log_commit(case_log), RC_OK);
    cr_expect_eq(store_log_probe(case_log), RC_OK);
}

static void expect_astray(const char *name, const char *cure)
{
    cr_expect_eq(store_log_look(case_log), RC_ESTORE, "%s", name);
    cr_expect_eq(store_log_begin(case_log, true), RC_ESTORE, "%s", name);
    cr_expect_eq(store_log_probe(case_log), RC_ESTORE, "%s", name);
    cr_expect_str_eq(store_log_trouble(case_log), "its files were removed or replaced");
    const char *reason = store_log_reason(case_log);
    cr_expect(strstr(reason, name) != NULL && strstr(reason, cure) != NULL, "%s", reason);
    cr_expect_eq(store_log_begin(case_log, false), RC_OK, "it can still be read");
    cr_expect_eq(store_log_commit(case_log), RC_OK);
}

static void copy(const char *from, const char *to)
{
    size_t count;
    char *bytes = case_read_file(from, &count);
    case_write_file(to, bytes, count);
    free(bytes);
}

/* Moves the directory, whose name case_dir stays, to that path. */
static void move_directory(char other_r[sizeof case_dir])
{
    snprintf(other_r, sizeof case_dir, "%.50s-other", case_dir);
    cr_assert_eq(rename(case_dir, other_r), 0);
}

static const char *const files[] = {"lock", "ringcast.db", "ringcast.db-wal", "ringcast.db-shm"};
#define FILES (sizeof files / sizeof files[0])

Test(store_watch, a_file_that_is_moved_away_and_back_is_trouble_meanwhile, .timeout = 60)
{
    case_log_begin();
    case_log_append("room", 1, 3);
    expect_there();
    for (size_t i = 0; i < FILES; i++) {
        cr_assert_eq(rename(case_path(files[i]), case_path("elsewhere")), 0);
        expect_astray(files[i], "start it again");
        cr_assert_eq(rename(case_path("elsewhere"), case_path(files[i])), 0);
        expect_there();
    }
    case_log_append("room", 4, 4);
    case_log_expect("room", CASE_MS, 1, 4, 4);
    case_log_end();
}

/* Goal: a copy of a file is not the file. And who put it there finds it as it was, for it may be a backup that they
 * restore; SQLite makes the fourth one anew anyway. */
Test(store_watch, a_file_that_is_replaced_by_a_copy_is_trouble_and_left_alone, .timeout = 60)
{
    for (size_t i = 0; i < FILES - 1; i++) {
        struct stat before, after;
        case_log_begin();
        case_log_append("room", 1, 3);
        copy(files[i], "copy");
        cr_assert_eq(rename(case_path("copy"), case_path(files[i])), 0);
        cr_assert_eq(stat(case_path(files[i]), &before), 0);
        expect_astray(files[i], "removed or replaced");
        store_log_close(case_log);
        cr_assert_eq(stat(case_path(files[i]), &after), 0);
        cr_expect(before.st_ino == after.st_ino && before.st_size == after.st_size, "%s", files[i]);
        cr_expect_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec, "%s", files[i]);
        case_end();
    }
}

Test(store_watch, a_directory_that_is_moved_is_trouble_until_it_is_back, .timeout = 60)
{
    char other[sizeof case_dir];
    case_log_begin();
    case_log_append("room", 1, 3);
    move_directory(other);
    expect_astray(case_dir, "move it back");
    cr_assert_eq(mkdir(case_dir, 0700), 0);
    expect_astray(case_dir, "another directory");
    cr_assert_eq(rmdir(case_dir), 0);
    cr_assert_eq(symlink(other, case_dir), 0);
    expect_astray(case_dir, "another directory");
    cr_assert_eq(unlink(case_dir), 0);
    cr_assert_eq(rename(other, case_dir), 0);
    expect_there();
    case_log_expect("room", CASE_MS, 1, 3, 3);
    case_log_end();
}

/* Goal: the log of a server that has taken the place of the directory is not deleted at our end. */
Test(store_watch, another_log_at_the_old_path_is_left_alone, .timeout = 60)
{
    char other[sizeof case_dir];
    case_log_begin();
    case_log_append("room", 1, 3);
    move_directory(other);
    struct store_log *ours = case_log;
    case_log_open();
    case_log_append("room", 1, 5);
    store_log_close(ours);
    cr_expect_eq(store_log_look(case_log), RC_OK, "%s", store_log_reason(case_log));
    case_log_append("room", 6, 6);
    store_log_close(case_log);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 6);
    case_end();
    snprintf(case_dir, sizeof case_dir, "%s", other);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 3);
    case_end();
}

/* Goal: what was committed is saved by a proper end, whatever was removed beside the database. */
Test(store_watch, what_the_database_lacks_is_saved_at_the_end, .timeout = 60)
{
    for (int with_log = 0; with_log < 2; with_log++) {
        case_log_begin();
        case_log_append("room", 1, 3);
        if (with_log) cr_assert_eq(unlink(case_path("ringcast.db-wal")), 0);
        cr_assert_eq(unlink(case_path("ringcast.db-shm")), 0);
        cr_assert_eq(unlink(case_path("lock")), 0);
        case_log_reopen();
        case_log_expect("room", CASE_MS, 1, 3, 3);
        case_log_end();
    }
}
