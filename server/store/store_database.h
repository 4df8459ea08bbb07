/* server/store/store_database.h - the directory and the database while they are open, and why SQLite refuses something.
 * Threads: whoever opened it, or was handed it. */
#pragma once

#include "server/store/store_watch.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

struct store_file {
    sqlite3 *db;         /* NULL: not open */
    char path[PATH_MAX]; /* of the directory: absolute, for SQLite takes "file:..." for something else */
    int directory;       /* descriptors; -1: not open */
    int lock;
    struct store_watch watch;
    bool is_in_use; /* opened for good: it may be written to, and the watch has begun */
    bool is_synced; /* at each commit */
};

/* Writes why SQLite refused, and the cure: "disk I/O error, Disk quota exceeded: look at ...". The code is what it
 * has just returned. */
void store_file_explain(const struct store_file *file, int code, char *text_r, size_t text_size);

/* What to do about an SQLite code without its finer part. */
const char *store_opening_cure_of(int kind);
