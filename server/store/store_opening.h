/* server/store/store_opening.h - what the parts of opening the database share:
 * where they say what stands in the way. */
#pragma once

#include "core/rc.h"
#include "server/store/store_database.h"

#include <stddef.h>
#include <stdint.h>

struct opening {
    struct store_file *file;
    char *reason;
    size_t reason_size;
};

/* Writes the reason; RC_EINVAL. */
__attribute__((format(printf, 2, 3))) enum rc opening_refuse(struct opening *opening, const char *format, ...);
/* Like opening_refuse(), of a file in the directory, with SQLite's reason and the cure; RC_ENOMEM if memory is what
 * lacks. */
enum rc opening_refuse_by_sqlite(struct opening *opening, const char *name, int code);

/* Runs a statement that answers with one number, or with one text, which is cut to fit. An SQLite code; SQLITE_DONE: it
 * answers with nothing. */
int opening_ask_number(sqlite3 *db, const char *sql, int64_t *number_r);
int opening_ask_text(sqlite3 *db, const char *sql, char *text_r, size_t text_size);
