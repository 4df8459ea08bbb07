/* server/store/store_watch.h - are the files that are open still those that bear the names?
 *
 * What is written to a file that was removed is lost when the program ends, and where the names are free another
 * server can start: so it is looked at, by device and inode, while the store is open. Threads: whoever opened the
 * directory. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define STORE_WATCHED 4 /* the lock, the database, its log, and the memory that its readers share */

struct store_watched {
    dev_t device;
    ino_t inode;
};

struct store_watch {
    struct store_watched directory;
    struct store_watched files[STORE_WATCHED];
};

/* Notes which files they are; all are there. */
void store_watch_begin(struct store_watch *watch, int directory);
/* Does another file than ours have the name of the database's log, which SQLite deletes by its name at the end? */
bool store_watch_log_is_foreign(const struct store_watch *watch, const char *path);
/* RC_OK: they still are. RC_ENOENT: one is not; reason_r says which, and what to do. path is the directory's. */
enum rc store_watch_look(const struct store_watch *watch, const char *path, int directory, char *reason_r,
                         size_t reason_size);
