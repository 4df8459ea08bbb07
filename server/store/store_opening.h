/* server/store/store_opening.h - what the parts of opening the database share:
 * where they say what stands in the way. */
#pragma once

#include "core/rc.h"
#include "server/store/store_file.h"

#include <stddef.h>

struct opening {
    struct store_file *file;
    char *reason;
    size_t reason_size;
};

/* Writes the reason; RC_EINVAL. */
__attribute__((format(printf, 2, 3))) enum rc opening_refuse(struct opening *opening, const char *format, ...);
/* The same of a file in the directory, with SQLite's reason and the cure; RC_ENOMEM if memory is what lacks. */
enum rc opening_refuse_by_sqlite(struct opening *opening, const char *name, int code);

/* What to do about an SQLite code without its finer part. */
const char *opening_cure_of(int kind);
/* Of a statement that answers with one number, or with one text, which is cut to fit. An SQLite code; SQLITE_DONE: it
 * answers with nothing. */
int opening_ask_number(sqlite3 *db, const char *sql, int64_t *number_r);
int opening_ask_text(sqlite3 *db, const char *sql, char *text_r, size_t text_size);

/* server/store/store_upgrade.c */
/* Which version it has, by its log too; nothing is written. RC_EINVAL: none that this ringcast knows. */
enum rc store_version_of(struct opening *opening, int *version_r);
/* Brings it to the present version, after a copy of it was saved beside it. */
enum rc store_upgrade(struct opening *opening, int version);
