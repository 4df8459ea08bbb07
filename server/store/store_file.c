/* server/store/store_file.c - opening, with a clear sentence for whatever may stand in the way. */
#include "server/store/store_file.h"

#include "server/store/store_directory.h"
#include "server/store/store_end.h"
#include "server/store/store_opening.h"
#include "server/store/store_schema.h"
#include "server/store/store_unsynced.h"
#include "server/store/store_upgrade.h"
#include "server/store/store_wal.h"
#include "server/system/log.h"
#include "server/system/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATABASE_NEW    STORE_DATABASE ".new" /* being made */
#define DATABASE_WAL    STORE_DATABASE "-wal"
#define DIRECTORY_SHOWN "%.200s"   /* so that what is said of it is never cut off */
#define CHECK_BYTES_MAX (64 << 20) /* larger databases are not read through at every start */
#define HEADER_BYTES    100        /* https://www.sqlite.org/fileformat.html */
#define HEADER_APP      68
#define PROGRESS_STEPS  100000 /* of SQLite's machine: milliseconds */
#define BUSY_MS         2000   /* how long another program may write before we give up */
/* In WAL mode FULL syncs the log at each commit, NORMAL only before it goes into the database. */
#define SYNC_COMMITS    "PRAGMA synchronous = FULL"
#define SYNC_SELDOM     "PRAGMA synchronous = NORMAL"
#define PROBE                                                \
    "BEGIN IMMEDIATE;"                                       \
    "INSERT INTO state VALUES ('" STORE_STATE_PROBES "', 1)" \
    " ON CONFLICT (name) DO UPDATE SET value = value + 1;"   \
    "COMMIT"
#define TEXT_OF_(number) #number
#define TEXT_OF(number)  TEXT_OF_(number)

/* ---- directory and lock ---- */

/* SQLite takes shorter paths than the kernel does, and its own says nothing but that it cannot open the file. */
static enum rc check_length(struct opening *opening)
{
    const sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    if (vfs == NULL) { /* SQLite could not begin */
        opening_refuse(opening, "store: out of memory");
        return RC_ENOMEM;
    }
    size_t length = strlen(opening->file->path);
    size_t most = (size_t)vfs->mxPathname - strlen("/" DATABASE_NEW "-journal");
    if (length <= most) return RC_OK;
    return opening_refuse(opening,
                          "--data-dir " DIRECTORY_SHOWN
                          " has a path of %zu characters, and SQLite takes no more than "
                          "%zu here: choose a shorter one",
                          opening->file->path, length, most);
}

static enum rc make_directory(struct opening *opening, const char *data_dir)
{
    if (mkdir(data_dir, 0700) != 0 && errno != EEXIST) {
        return opening_refuse(opening, "--data-dir " DIRECTORY_SHOWN " cannot be made: %s%s", data_dir,
                              strerror(errno), errno == ENOENT ? ": make its parent first" : "");
    }
    if (realpath(data_dir, opening->file->path) == NULL) {
        return opening_refuse(opening, "--data-dir " DIRECTORY_SHOWN " cannot be used: %s", data_dir,
                              strerror(errno));
    }
    enum rc rc = check_length(opening);
    if (rc != RC_OK) return rc;
    opening->file->directory = open(opening->file->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (opening->file->directory < 0) {
        return opening_refuse(opening, "--data-dir " DIRECTORY_SHOWN " cannot be used: %s%s", data_dir,
                              strerror(errno), errno == ENOTDIR ? ": it must be a directory" : "");
    }
    int parent = openat(opening->file->directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0) return RC_OK; /* of somebody else, who made it earlier */
    fsync(parent);                /* or a power cut takes the whole directory */
    close(parent);
    return RC_OK;
}

static enum rc refuse_second(struct opening *opening)
{
    char number[16] = "";
    ssize_t bytes = read(opening->file->lock, number, sizeof number - 1);
    long process = bytes > 0 ? strtol(number, NULL, 10) : 0;
    return opening_refuse(
        opening,
        "--data-dir %s is used by another ringcast, process %ld: stop it, or give each server a directory "
        "of its own",
        opening->file->path, process);
}

static enum rc take_lock(struct opening *opening)
{
    struct store_file *file = opening->file;
    file->lock = openat(file->directory, STORE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file->lock < 0) {
        return opening_refuse(opening, "--data-dir %s cannot be written: %s: it must be writable for this user",
                              opening->file->path, strerror(errno));
    }
    if (flock(file->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return refuse_second(opening);
        return opening_refuse(opening, "--data-dir %s cannot be locked: %s", opening->file->path, strerror(errno));
    }
    /* The number is for people: that it cannot be written is found out, with a better text, by the database. */
    if (ftruncate(file->lock, 0) == 0) dprintf(file->lock, "%ld\n", (long)getpid());
    return RC_OK;
}

/* ---- whose database it is ---- */

static uint32_t number_at(const uint8_t *header, size_t at)
{
    return (uint32_t)header[at] << 24 | (uint32_t)header[at + 1] << 16 | (uint32_t)header[at + 2] << 8 |
           header[at + 3];
}

static enum rc judge_header(struct opening *opening, const uint8_t *header, ssize_t bytes)
{
    static const char magic[16] = "SQLite format 3";
    const char *cure = "choose another --data-dir, or move the file away";
    if (bytes < HEADER_BYTES || memcmp(header, magic, sizeof magic) != 0) {
        return opening_refuse(opening, "%s/" STORE_DATABASE " is no database, or is damaged: %s", opening->file->path,
                              cure);
    }
    if (number_at(header, HEADER_APP) == STORE_APPLICATION_ID) return RC_OK;
    return opening_refuse(opening, "%s/" STORE_DATABASE " is the database of another program: %s",
                          opening->file->path, cure);
}

/* RC_ENOENT: there is no database yet. */
static enum rc check_header(struct opening *opening)
{
    int descriptor = openat(opening->file->directory, STORE_DATABASE, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        if (errno == ENOENT) return RC_ENOENT;
        return opening_refuse(opening, "%s/" STORE_DATABASE " cannot be opened: %s", opening->file->path,
                              strerror(errno));
    }
    uint8_t header[HEADER_BYTES];
    ssize_t bytes = read(descriptor, header, sizeof header);
    int error = errno;
    close(descriptor);
    if (bytes < 0)
        return opening_refuse(opening, "%s/" STORE_DATABASE " cannot be read: %s", opening->file->path,
                              strerror(error));
    return bytes == 0 ? RC_ENOENT : judge_header(opening, header, bytes); /* nothing in it is like no file */
}

/* ---- making one ---- */

static int get_on(void *unused)
{
    (void)unused;
    notify_patience();
    return 0;
}

void store_file_tell_progress(struct store_file *file, bool is_told)
{
    sqlite3_progress_handler(file->db, is_told ? PROGRESS_STEPS : 0, get_on, NULL);
}

static int open_database(struct opening *opening, const char *name)
{
    char path[PATH_MAX + 32];
    snprintf(path, sizeof path, "%s/%s", opening->file->path, name);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path, &opening->file->db, flags, NULL);
    if (code == SQLITE_OK) store_file_tell_progress(opening->file, true);
    /* A database that we may still refuse stays as it is. */
    if (code == SQLITE_OK) sqlite3_db_config(opening->file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (code == SQLITE_OK && sqlite3_db_readonly(opening->file->db, "main") == 1) return SQLITE_READONLY;
    return code;
}

static void close_database(struct store_file *file)
{
    sqlite3_close(file->db);
    file->db = NULL;
}

/* Text alone would be lost: a log without its database may hold what somebody misses. */
static enum rc check_leftovers(struct opening *opening)
{
    int directory = opening->file->directory;
    struct stat wal;
    if (fstatat(directory, DATABASE_WAL, &wal, 0) == 0 && wal.st_size > 0) {
        return opening_refuse(opening,
                              "%s/" STORE_DATABASE " is missing, but its log " DATABASE_WAL
                              " is there: put the database "
                              "back, or move the log away to begin a new one",
                              opening->file->path);
    }
    unlinkat(directory, DATABASE_NEW, 0); /* of a start that was cut off */
    unlinkat(directory, DATABASE_NEW "-journal", 0);
    return RC_OK;
}

static enum rc fill_database(struct opening *opening)
{
    /* Made by us, for SQLite would let others read it; what it adds beside has the same permissions. */
    int descriptor = openat(opening->file->directory, DATABASE_NEW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return opening_refuse(opening, "%s/" DATABASE_NEW " cannot be made: %s", opening->file->path,
                              strerror(errno));
    }
    close(descriptor);
    int code = open_database(opening, DATABASE_NEW);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(opening->file->db,
                            "BEGIN;"
                            "PRAGMA application_id = " TEXT_OF(
                                STORE_APPLICATION_ID) ";"
                                                      "PRAGMA user_version = " TEXT_OF(STORE_VERSION) ";" STORE_SCHEMA
                                                                                                      "COMMIT",
                            NULL, NULL, NULL);
    }
    enum rc rc = code == SQLITE_OK ? RC_OK : opening_refuse_by_sqlite(opening, DATABASE_NEW, code);
    close_database(opening->file);
    return rc;
}

static enum rc make_database(struct opening *opening)
{
    int directory = opening->file->directory;
    enum rc rc = check_leftovers(opening);
    if (rc == RC_OK) rc = fill_database(opening);
    if (rc != RC_OK) return rc;
    if (renameat(directory, DATABASE_NEW, directory, STORE_DATABASE) != 0 || fsync(directory) != 0) {
        return opening_refuse(opening, "%s/" STORE_DATABASE " cannot be made: %s", opening->file->path,
                              strerror(errno));
    }
    return RC_OK;
}

/* ---- opening it ---- */

void store_file_set_patience(struct store_file *file, bool is_patient)
{
    sqlite3_busy_timeout(file->db, is_patient ? BUSY_MS : 0);
}

static int set_up(sqlite3 *db)
{
    char mode[16];
    int code = opening_ask_text(db, "PRAGMA journal_mode = WAL", mode, sizeof mode);
    if (code != SQLITE_OK) return code;
    if (strcmp(mode, "wal") != 0) return SQLITE_CANTOPEN; /* this file system cannot share memory */
    const char *settings[] = {
        SYNC_COMMITS,
        "PRAGMA wal_autocheckpoint = 4000",     /* pages; each checkpoint waits for the disk twice */
        "PRAGMA journal_size_limit = 67108864", /* for when a long reader has made it grow */
        "PRAGMA cache_size = -65536",           /* KiB */
        "PRAGMA mmap_size = 0",                 /* an I/O error in mapped memory would be a SIGBUS */
        "PRAGMA temp_store = MEMORY",           /* nothing but the data directory is written to */
        "PRAGMA secure_delete = FAST",          /* Debian's default rewrites every page it frees */
        "PRAGMA cell_size_check = ON",          /* corruption is an error, not a wrong answer */
        "PRAGMA trusted_schema = OFF",
    };
    for (unsigned i = 0; i < sizeof settings / sizeof settings[0] && code == SQLITE_OK; i++) {
        code = sqlite3_exec(db, settings[i], NULL, NULL, NULL);
    }
    return code;
}

/* Reads a small database through; large ones show their damage when they are read. */
static enum rc check_pages(struct opening *opening)
{
    struct stat status;
    if (fstatat(opening->file->directory, STORE_DATABASE, &status, 0) == 0 && status.st_size > CHECK_BYTES_MAX) {
        return RC_OK;
    }
    char text[100];
    int code = opening_ask_text(opening->file->db, "PRAGMA quick_check(1)", text, sizeof text);
    if (code != SQLITE_OK) return opening_refuse_by_sqlite(opening, STORE_DATABASE, code);
    if (strcmp(text, "ok") == 0) return RC_OK;
    return opening_refuse(opening, "%s/" STORE_DATABASE " is corrupt (%s): %s", opening->file->path, text,
                          store_opening_cure_of(SQLITE_CORRUPT));
}

int store_file_probe(struct store_file *file)
{
    int code = sqlite3_exec(file->db, PROBE, NULL, NULL, NULL);
    if (code != SQLITE_OK) sqlite3_exec(file->db, "ROLLBACK", NULL, NULL, NULL); /* if it began */
    return code;
}

static enum rc refuse_mark(struct opening *opening, int error)
{
    return opening_refuse(opening, "%s/unsynced cannot be written: %s", opening->file->path, strerror(error));
}

/* Offsets must not mean one message to those who saw it before commits were lost, and another one after it. What stood
 * in the log goes out of it, so that nobody is in doubt of it again. */
static int begin_epochs(struct opening *opening, const char *doubt)
{
    sqlite3 *db = opening->file->db;
    int code = sqlite3_exec(db, "UPDATE channel SET epoch = " STORE_NEW_EPOCH, NULL, NULL, NULL);
    if (code != SQLITE_OK) return code;
    int channels = sqlite3_changes(db);
    if (channels > 0) {
        log_warn("--data-dir %s: %s: the last messages may be missing, so %d channels begin a new epoch",
                 opening->file->path, doubt, channels);
    }
    sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    return SQLITE_OK;
}

/* May commits be missing? Written down before anything else is, should this start be cut off. */
static enum rc judge_end(struct opening *opening, enum store_wal wal, int version)
{
    const char *doubt;
    int directory = opening->file->directory;
    int code = store_end_doubt(opening->file->db, directory, wal, version, &doubt);
    if (code != SQLITE_OK) return opening_refuse_by_sqlite(opening, STORE_DATABASE, code);
    int error = doubt != NULL ? store_unsynced_doubt(directory) : 0;
    if (error != 0) return refuse_mark(opening, error);
    if (doubt == NULL && store_unsynced_is_stale(directory)) {
        doubt =
            "the machine was started anew while messages were not synced, or the file \"unsynced\" was made by hand";
    }
    code = doubt != NULL ? begin_epochs(opening, doubt) : SQLITE_OK;
    return code == SQLITE_OK ? RC_OK : opening_refuse_by_sqlite(opening, STORE_DATABASE, code);
}

/* What was written before is on the disk, by the probe at the latest. */
static enum rc choose_sync(struct opening *opening, bool is_synced)
{
    struct store_file *file = opening->file;
    file->is_synced = is_synced;
    if (is_synced) {
        store_unsynced_clear(file->directory);
        return RC_OK;
    }
    int error = store_unsynced_mark(file->directory);
    if (error != 0) return refuse_mark(opening, error);
    int code = sqlite3_exec(file->db, SYNC_SELDOM, NULL, NULL, NULL);
    return code == SQLITE_OK ? RC_OK : opening_refuse_by_sqlite(opening, STORE_DATABASE, code);
}

/* Nothing is written to it yet. */
static enum rc open_to_read(struct opening *opening, int *version_r)
{
    int code = open_database(opening, STORE_DATABASE);
    if (code != SQLITE_OK) return opening_refuse_by_sqlite(opening, STORE_DATABASE, code);
    store_file_set_patience(opening->file, true);
    enum rc rc = store_version_of(opening, version_r); /* first: what is newer stays as it is */
    if (rc != RC_OK) return rc;
    code = set_up(opening->file->db);
    return code == SQLITE_OK ? check_pages(opening) : opening_refuse_by_sqlite(opening, STORE_DATABASE, code);
}

/* The log is on the disk, by the probe. */
static enum rc begin_use(struct opening *opening)
{
    struct store_file *file = opening->file;
    int code = store_file_probe(file);
    if (code != SQLITE_OK) return opening_refuse_by_sqlite(opening, STORE_DATABASE, code);
    int error = store_end_clear(file->directory);
    if (error != 0) return opening_refuse(opening, "%s cannot be written: %s", file->path, strerror(error));
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    store_watch_begin(&file->watch, file->directory);
    file->is_in_use = true;
    return RC_OK;
}

static enum rc open_existing(struct opening *opening, bool is_synced)
{
    int version;
    enum store_wal wal = store_wal_look(opening->file->directory);
    enum rc rc = open_to_read(opening, &version);
    if (rc == RC_OK) rc = judge_end(opening, wal, version);
    if (rc == RC_OK) rc = store_upgrade(opening, version);
    if (rc == RC_OK) rc = begin_use(opening);
    return rc == RC_OK ? choose_sync(opening, is_synced) : rc;
}

/* A commit that is synced takes along all before it. */
static void sync_commits(struct store_file *file)
{
    int code = sqlite3_exec(file->db, SYNC_COMMITS, NULL, NULL, NULL);
    if (code == SQLITE_OK) code = store_file_probe(file);
    if (code == SQLITE_OK) store_unsynced_clear(file->directory);
}

enum rc store_file_open(struct store_file *file, const char *data_dir, bool is_synced, char *reason_r,
                        size_t reason_size)
{
    *file = (struct store_file){.directory = -1, .lock = -1, .is_synced = true};
    struct opening opening = {.file = file, .reason = reason_r, .reason_size = reason_size};
    enum rc rc = make_directory(&opening, data_dir);
    if (rc == RC_OK) rc = take_lock(&opening);
    if (rc == RC_OK) rc = check_header(&opening);
    if (rc == RC_ENOENT) rc = make_database(&opening);
    if (rc == RC_OK) rc = open_existing(&opening, is_synced);
    if (rc != RC_OK) store_file_close(file);
    return rc;
}

enum rc store_file_look(const struct store_file *file, char *reason_r, size_t reason_size)
{
    return store_watch_look(&file->watch, file->path, file->directory, reason_r, reason_size);
}

/* What the log holds goes into the database, and the file that has the log's name stays. */
static void leave_log(struct store_file *file)
{
    sqlite3_wal_checkpoint_v2(file->db, "main", SQLITE_CHECKPOINT_FULL, NULL, NULL);
    sqlite3_db_config(file->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

/* Leaves a database that was in use as one that was stopped properly. */
static void settle(struct store_file *file)
{
    if (!file->is_synced) sync_commits(file);
    store_end_mark(file->db, file->directory);
    if (store_watch_log_is_foreign(&file->watch, file->path)) leave_log(file);
}

void store_file_close(struct store_file *file)
{
    if (file->db != NULL) {
        store_file_set_patience(file, false); /* a reader may keep the log: no reason to wait */
        if (file->is_in_use) settle(file);
        close_database(file);
    }
    if (file->lock >= 0) close(file->lock);
    if (file->directory >= 0) close(file->directory);
    file->directory = file->lock = -1;
}
