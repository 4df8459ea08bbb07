/* server/store/store_file.h - the directory, the lock and the database file of the durable log.
 *
 *     DIR/ringcast.db        the database, with ringcast.db-wal and -shm beside it while it is open
 *     DIR/lock               held by the process that uses the directory; has its number
 *     DIR/ringcast.db.version-N  a copy of it as it was before it was upgraded from version N; whoever goes back to the
 *                            ringcast of that version gives it the name ringcast.db
 *     DIR/unsynced           see server/store/store_unsynced.h: the next open begins new epochs, should it be stale
 *     DIR/stopped            see server/store/store_end.h: it ended properly
 *
 * A database is made whole under another name and then renamed, so one that has the right name is complete. What is
 * not ours is never written to, renamed or deleted. Others may read the database while it is in use; nobody else may
 * write. Threads: whoever opened it, or was handed it. */
#pragma once

#include "core/rc.h"
#include "server/store/store_watch.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#define STORE_DATABASE "ringcast.db"
#define STORE_LOCK     "lock"

/* Another epoch for each row, as SQL. */
#define STORE_NEW_EPOCH "lower(hex(randomblob(4)))"

struct store_file {
    sqlite3 *db;         /* NULL: not open */
    char path[PATH_MAX]; /* of the directory: absolute, for SQLite takes "file:..." for something else */
    int directory;       /* descriptors; -1: not open */
    int lock;
    struct store_watch watch;
    bool is_in_use; /* opened for good: it may be written to, and the watch has begun */
    bool is_synced; /* at each commit */
};

/* RC_OK, or nothing is left open: RC_EINVAL or RC_ENOMEM, reason_r says what and the cure. */
enum rc store_file_open(struct store_file *file, const char *data_dir, bool is_synced, char *reason_r,
                        size_t reason_size);
/* All statements have been finalized. Leaves no log beside the database if no other program reads it; a log that
 * was put in place of ours stays. */
void store_file_close(struct store_file *file);

/* RC_OK, or RC_ENOENT: files are not those any more that are in use, see server/store/store_watch.h. */
enum rc store_file_look(const struct store_file *file, char *reason_r, size_t reason_size);

/* How long to wait for another program that is writing: a while, as after opening, or not at all. */
void store_file_set_patience(struct store_file *file, bool is_patient);

/* Can it be written? Costs a transaction. An SQLite code. */
int store_file_probe(struct store_file *file);

/* Writes why SQLite refused, and the cure: "disk I/O error, Disk quota exceeded: look at ...". The code is what it
 * has just returned. */
void store_file_explain(const struct store_file *file, int code, char *text_r, size_t text_size);
