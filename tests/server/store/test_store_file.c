/* tests/server/store/test_store_file.c - opening the database: what is made, what is refused, in which words, and that
 * what is refused stays as it was. */
#include "server/store/store_file.h"
#include "server/store/store_log.h"
#include "server/system/notify.h"
#include "tests/support/store_case.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct store_log *store_log;
static struct counters counters;
static char reason[512];

static enum rc open_synced(const char *data_dir, bool is_synced)
{
    reason[0] = '\0';
    return store_log_open(&store_log, &counters, data_dir, is_synced, reason, sizeof reason);
}

static enum rc open_log(const char *data_dir)
{
    return open_synced(data_dir, true);
}

/* Both words of the reason: what, and the cure; in one line. */
static void expect_refused(const char *data_dir, const char *what, const char *cure)
{
    cr_expect_eq(open_log(data_dir), RC_EINVAL);
    cr_expect(strchr(reason, '\n') == NULL, "%s", reason);
    cr_expect(strstr(reason, what) != NULL, "%s: no '%s'", reason, what);
    cr_expect(strstr(reason, cure) != NULL, "%s: no '%s'", reason, cure);
}

static bool exists(const char *name)
{
    struct stat status;
    return lstat(case_path(name), &status) == 0;
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    return status.st_mode & 0777;
}

/* Makes a database of ours with some messages and closes it. */
static void make_log(uint32_t messages)
{
    cr_assert_eq(open_log(case_dir), RC_OK, "%s", reason);
    cr_assert_eq(store_log_begin(store_log, true), RC_OK);
    for (uint64_t offset = 1; offset <= messages; offset++) {
        struct store_job *job = case_append("room", offset, "{\"text\":\"a message of usual length, more or less\"}");
        cr_assert_eq(store_log_append(store_log, job, CASE_MS), RC_OK);
        case_free(job);
    }
    cr_assert_eq(store_log_commit(store_log), RC_OK);
    store_log_close(store_log);
}

static void run_sql(const char *name, const char *sql)
{
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(case_path(name), &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void expect_file_refused_and_kept(const char *what, const char *cure)
{
    size_t before_count, after_count;
    char *before = case_read_file("ringcast.db", &before_count);
    expect_refused(case_dir, what, cure);
    char *after = case_read_file("ringcast.db", &after_count);
    cr_expect(before_count == after_count && memcmp(before, after, before_count) == 0, "it was written to");
    cr_expect(!exists("ringcast.db-journal"));
    cr_expect(!exists("ringcast.db.new"));
    free(before);
    free(after);
}

/* ---- what is made ---- */

Test(store_file, makes_directory_and_database_for_its_user_alone, .timeout = 60)
{
    char dir[128];
    case_begin();
    snprintf(dir, sizeof dir, "%s/data", case_dir);
    umask(0);
    cr_assert_eq(open_log(dir), RC_OK, "%s", reason);
    cr_expect_eq(mode_of(dir), 0700);
    cr_expect_eq(mode_of(case_path("data/ringcast.db")), 0600);
    cr_expect_eq(mode_of(case_path("data/ringcast.db-wal")), 0600);
    cr_expect_eq(mode_of(case_path("data/lock")), 0600);
    store_log_close(store_log);
    cr_expect(!exists("data/ringcast.db-wal"), "a proper end leaves one file");
    cr_assert_eq(open_log(dir), RC_OK, "%s", reason);
    store_log_close(store_log);
    case_end();
}

Test(store_file, the_database_says_what_it_is, .timeout = 60)
{
    case_begin();
    make_log(1);
    cr_expect_eq(case_query("PRAGMA application_id"), 0x52434c47);
    cr_expect_eq(case_query("PRAGMA user_version"), 2);
    cr_expect_eq(case_query("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    case_end();
}

/* A start that was killed leaves the new one unfinished; an empty file is like none. */
Test(store_file, an_unfinished_new_database_is_made_again, .timeout = 60)
{
    case_begin();
    case_write_file("ringcast.db.new", "half of it", 10);
    case_write_file("ringcast.db.new-journal", "and this", 8);
    case_write_file("ringcast.db", "", 0);
    make_log(3);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 3);
    cr_expect(!exists("ringcast.db.new"));
    case_end();
}

Test(store_file, others_read_while_it_is_open, .timeout = 60)
{
    case_begin();
    make_log(3);
    cr_assert_eq(open_log(case_dir), RC_OK);
    cr_assert_eq(store_log_begin(store_log, true), RC_OK);
    struct store_job *job = case_append("room", 4, "x");
    cr_assert_eq(store_log_append(store_log, job, CASE_MS), RC_OK);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 3);
    cr_assert_eq(store_log_commit(store_log), RC_OK);
    cr_expect_eq(case_query("SELECT count(*) FROM message"), 4);
    case_free(job);
    store_log_close(store_log);
    case_end();
}

/* ---- what is refused ---- */

Test(store_file, a_directory_that_cannot_be_is_refused, .timeout = 60)
{
    char dir[128];
    case_begin();
    case_write_file("file", "x", 1);
    snprintf(dir, sizeof dir, "%s/none/data", case_dir);
    expect_refused(dir, "cannot be made: No such file", "make its parent first");
    snprintf(dir, sizeof dir, "%s/file", case_dir);
    expect_refused(dir, "Not a directory", "must be a directory");
    snprintf(dir, sizeof dir, "%s/file/data", case_dir);
    expect_refused(dir, "cannot be made", "Not a directory");
    expect_refused("/proc/ringcast", "cannot be made", "/proc/ringcast");
    expect_refused("/proc", "cannot be written", "writable");
    case_end();
}

Test(store_file, a_directory_with_the_name_of_an_uri_is_a_directory, .timeout = 60)
{
    case_begin();
    cr_assert_eq(chdir(case_dir), 0);
    cr_assert_eq(open_log("file:data?mode=memory"), RC_OK, "%s", reason);
    cr_expect(exists("file:data?mode=memory/ringcast.db"));
    store_log_close(store_log);
    cr_assert_eq(chdir("/"), 0);
    case_end();
}

/* SQLite takes 512 characters, the kernel 4096: whatever is wrong is said whole, with the cure at its end. */
Test(store_file, a_path_that_sqlite_does_not_take_is_refused_in_a_whole_sentence, .timeout = 60)
{
    char path[4000];
    case_begin();
    size_t used = (size_t)snprintf(path, sizeof path, "%s", case_dir);
    for (; used < 480; used += 40) {
        snprintf(path + used, sizeof path - used, "/%039d", 7);
        cr_assert_eq(mkdir(path, 0700), 0);
    }
    expect_refused(path, "and SQLite takes no more than", "choose a shorter one");
    cr_expect_eq(strchr(reason, '\0')[-1], 'e', "%s", reason);
    memset(path + used, 'x', 600);
    path[used + 600] = '\0';
    expect_refused(path, "cannot be made", strerror(ENAMETOOLONG));
    case_end();
}

Test(store_file, a_second_user_is_told_of_the_first, .timeout = 60)
{
    char process[64];
    case_begin();
    cr_assert_eq(open_log(case_dir), RC_OK, "%s", reason);
    struct store_log *first = store_log;
    snprintf(process, sizeof process, "used by another ringcast, process %ld:", (long)getpid());
    expect_refused(case_dir, process, "stop it");
    pid_t child = fork();
    if (child == 0) _exit(open_log(case_dir) == RC_EINVAL && strstr(reason, process) != NULL ? 0 : 1);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(status, 0);
    store_log_close(first);
    cr_expect_eq(open_log(case_dir), RC_OK, "%s", reason);
    store_log_close(store_log);
    case_end();
}

Test(store_file, files_of_others_are_refused_and_left_alone, .timeout = 60)
{
    char text[4096];
    memset(text, 'x', sizeof text);
    case_begin();
    case_write_file("ringcast.db", "hello\n", 6);
    expect_file_refused_and_kept("is no database", "move the file away");
    case_write_file("ringcast.db", text, sizeof text);
    expect_file_refused_and_kept("is no database", "choose another --data-dir");
    unlink(case_path("ringcast.db"));
    run_sql("ringcast.db", "CREATE TABLE mine (a)");
    expect_file_refused_and_kept("is the database of another program", "choose another --data-dir");
    run_sql("ringcast.db", "PRAGMA application_id = 1234; PRAGMA user_version = 2");
    expect_file_refused_and_kept("is the database of another program", "move the file away");
    unlink(case_path("ringcast.db"));
    cr_assert_eq(mkdir(case_path("ringcast.db"), 0700), 0);
    expect_refused(case_dir, "ringcast.db cannot be read", "directory");
    case_end();
}

Test(store_file, a_newer_version_is_refused_and_left_alone, .timeout = 60)
{
    case_begin();
    make_log(3);
    run_sql("ringcast.db", "PRAGMA user_version = 7");
    expect_file_refused_and_kept("is of a newer ringcast: it has version 7, this one knows up to 2",
                                 "start the newer");
    run_sql("ringcast.db", "PRAGMA user_version = 0");
    expect_file_refused_and_kept("has version 0, which no ringcast makes", "restore it");
    case_end();
}

/* Goal: the version is what SQLite says, not what stands in the file.
 * Method: a newer program that was killed has left it in the log. */
Test(store_file, a_newer_version_in_the_log_is_refused_and_left_alone, .timeout = 60)
{
    case_begin();
    make_log(3);
    pid_t child = fork();
    if (child == 0) {
        sqlite3 *db;
        sqlite3_open(case_path("ringcast.db"), &db);
        _exit(sqlite3_exec(db, "PRAGMA user_version = 7", NULL, NULL, NULL));
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    for (int round = 0; round < 2; round++)
        expect_file_refused_and_kept("is of a newer ringcast: it has version 7", "start the newer ringcast");
    cr_expect_eq(case_query("PRAGMA user_version"), 7);
    case_end();
}

Test(store_file, a_log_without_its_database_is_refused, .timeout = 60)
{
    case_begin();
    case_write_file("ringcast.db-wal", "frames", 6);
    expect_refused(case_dir, "is missing, but its log", "put the database back");
    cr_expect(exists("ringcast.db-wal"));
    cr_expect(!exists("ringcast.db"));
    case_end();
}

/* Cut in the middle; garbage where the schema is, where messages are; a table missing. */
Test(store_file, a_corrupt_database_is_refused, .timeout = 60)
{
    char garbage[4096];
    memset(garbage, 0x5a, sizeof garbage);
    for (int damage = 0; damage < 4; damage++) {
        case_begin();
        make_log(2000);
        int descriptor = open(case_path("ringcast.db"), O_RDWR);
        struct stat status;
        cr_assert_eq(fstat(descriptor, &status), 0);
        if (damage == 0) cr_assert_eq(ftruncate(descriptor, status.st_size / 2 / 4096 * 4096), 0);
        if (damage == 1) cr_assert_eq(pwrite(descriptor, garbage, sizeof garbage - 100, 100), sizeof garbage - 100);
        if (damage == 2) cr_assert_eq(pwrite(descriptor, garbage, sizeof garbage, status.st_size - 8192), 4096);
        close(descriptor);
        if (damage == 3) run_sql("ringcast.db", "DROP TABLE key");
        expect_refused(case_dir, damage == 3 ? "no such table" : "corrupt", damage == 3 ? "ringcast.db" : "backup");
        case_end();
    }
}

/* ---- commits that are not synced ---- */

static void read_epoch(char epoch_r[EPOCH_BYTES + 1])
{
    struct store_job *read = case_read("room");
    cr_assert_eq(store_log_begin(store_log, false), RC_OK);
    cr_assert_eq(store_log_read(store_log, read, CASE_MS), RC_OK);
    cr_assert_eq(store_log_commit(store_log), RC_OK);
    cr_expect_str_eq(case_offsets(read), "1 2 3");
    cr_expect_eq(strlen(read->epoch), EPOCH_BYTES);
    memcpy(epoch_r, read->epoch, sizeof read->epoch);
    case_free(read);
    counter_add(&case_counters, COUNTER_messages_live, counter_get(&counters, COUNTER_messages_live));
    counters = (struct counters){0};
}

/* Opens the log, reads its epoch, closes it. */
static void look(bool is_synced, char epoch_r[EPOCH_BYTES + 1])
{
    cr_assert_eq(open_synced(case_dir, is_synced), RC_OK, "%s", reason);
    cr_expect_eq(exists("unsynced"), !is_synced);
    read_epoch(epoch_r);
    store_log_close(store_log);
    cr_expect(!exists("unsynced"), "who ends properly has synced all");
}

/* As by SIGKILL. */
static void open_and_die(bool is_synced)
{
    pid_t child = fork();
    if (child == 0) _exit(open_synced(case_dir, is_synced) == RC_OK ? 0 : 1);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_expect_eq(exists("unsynced"), !is_synced);
}

Test(store_file, epochs_outlive_the_process_whether_synced_or_not, .timeout = 60)
{
    for (int before = 0; before < 2; before++) {
        for (int after = 0; after < 2; after++) {
            char epoch[EPOCH_BYTES + 1];
            case_begin();
            make_log(3);
            open_and_die(before);
            look(after, epoch);
            cr_expect_str_eq(epoch, "epoch001");
            case_end();
        }
    }
}

/* Goal: offsets that a power cut has taken back are given again in another epoch only.
 * Method: the mark is of another start of the machine, as after a power cut, or empty, as made by somebody's touch. */
Test(store_file, epochs_end_with_the_machine_when_commits_were_not_synced, .timeout = 60)
{
    static const char other[] = "01234567-89ab-cdef-0123-456789abcdef";
    for (size_t length = 0; length < sizeof other; length += 12) {
        for (int is_synced = 0; is_synced < 2; is_synced++) {
            char first[EPOCH_BYTES + 1], second[EPOCH_BYTES + 1];
            case_begin();
            make_log(3);
            case_write_file("unsynced", other, length);
            look(is_synced, first);
            cr_expect_str_neq(first, "epoch001");
            look(is_synced, second);
            cr_expect_str_eq(first, second, "once is enough");
            case_end();
        }
    }
}

Test(store_file, a_mark_that_cannot_be_written_is_refused, .timeout = 60)
{
    case_begin();
    make_log(3);
    cr_assert_eq(mkdir(case_path("unsynced"), 0700), 0);
    cr_expect_eq(open_synced(case_dir, false), RC_EINVAL);
    cr_expect(strstr(reason, "unsynced cannot be written: Is a directory") != NULL, "%s", reason);
    case_end();
}

/* ---- a start that takes long ---- */

static int listen_as_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", case_path("notify"));
    cr_assert_eq(bind(manager, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    return manager;
}

/* Does the manager hear of a statement that takes long? */
static bool is_told(int manager, struct store_file *file)
{
    char text[100];
    cr_assert_eq(notify_open(text, sizeof text), RC_OK, "%s", text); /* anew, for it tells now and then only */
    sqlite3_exec(
        file->db,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) SELECT max(i) FROM n", NULL,
        NULL, NULL);
    ssize_t count = recv(manager, text, sizeof text - 1, 0);
    text[count > 0 ? count : 0] = '\0';
    return strcmp(text, "EXTEND_TIMEOUT_USEC=30000000") == 0;
}

Test(store_file, the_service_manager_hears_that_a_long_start_gets_on, .init = case_begin, .fini = case_end,
     .timeout = 30)
{
    struct store_file file;
    int manager = listen_as_manager();
    cr_assert_eq(store_file_open(&file, case_dir, true, reason, sizeof reason), RC_OK, "%s", reason);
    cr_expect(is_told(manager, &file));
    store_file_tell_progress(&file, false);
    cr_expect_not(is_told(manager, &file));
    store_file_close(&file);
    notify_close();
    close(manager);
}
