/* server/store/store_end.c - the mark, and the number in the database that it must have. */
#include "server/store/store_end.h"

#include "server/store/store_opening.h"
#include "server/store/store_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MARK       "stopped"
#define NUMBER     "SELECT value FROM state WHERE name = '" STORE_STATE_STOPPED "'"
#define NEW_NUMBER "INSERT OR REPLACE INTO state VALUES ('" STORE_STATE_STOPPED "', random())"

/* False: there is none. What is no number is 0. */
static bool read_mark(int directory, int64_t *number_r)
{
    char text[32] = "";
    int descriptor = openat(directory, MARK, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return false;
    ssize_t bytes = read(descriptor, text, sizeof text - 1);
    close(descriptor);
    *number_r = bytes > 0 ? strtoll(text, NULL, 10) : 0;
    return true;
}

int store_end_doubt(sqlite3 *db, int directory, enum store_wal wal, int version, const char **doubt_r)
{
    int64_t marked, number;
    *doubt_r = NULL;
    if (wal == STORE_WAL_DAMAGED) *doubt_r = "commits stand in the log ringcast.db-wal behind what can be read of it";
    if (version < STORE_VERSION_OF_MARK || *doubt_r != NULL) return SQLITE_OK;
    if (!read_mark(directory, &marked)) {
        if (wal == STORE_WAL_NONE) *doubt_r = "ringcast was not stopped, and its log ringcast.db-wal is missing";
        return SQLITE_OK;
    }
    int code = opening_ask_number(db, NUMBER, &number);
    if (code != SQLITE_OK && code != SQLITE_DONE) return code;
    if (code == SQLITE_DONE || number != marked) *doubt_r = "ringcast.db is not as it was when ringcast was stopped";
    return SQLITE_OK;
}

int store_end_clear(int directory)
{
    if (unlinkat(directory, MARK, 0) != 0) return errno == ENOENT ? 0 : errno;
    return fsync(directory) == 0 ? 0 : errno;
}

/* Should it fail, new epochs begin without need. */
void store_end_mark(sqlite3 *db, int directory)
{
    int64_t number;
    int code = sqlite3_exec(db, NEW_NUMBER, NULL, NULL, NULL);
    if (code == SQLITE_OK) code = opening_ask_number(db, NUMBER, &number);
    if (code != SQLITE_OK) return;
    int descriptor = openat(directory, MARK, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0) return;
    bool is_written = dprintf(descriptor, "%" PRId64 "\n", number) > 0 && fsync(descriptor) == 0;
    close(descriptor);
    if (!is_written) unlinkat(directory, MARK, 0);
    fsync(directory);
}
