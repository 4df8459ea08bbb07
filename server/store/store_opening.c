/* server/store/store_opening.c - what stands in the way, in words. */
#include "server/store/store_opening.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum rc opening_refuse(struct opening *opening, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(opening->reason, opening->reason_size, format, arguments);
    va_end(arguments);
    /* A refusal is one line; what SQLite finds may be several. */
    for (char *at = opening->reason; (at = strchr(at, '\n')) != NULL;) {
        *at = ' ';
    }
    return RC_EINVAL;
}

enum rc opening_refuse_by_sqlite(struct opening *opening, const char *name, int code)
{
    char text[300];
    int kind = code & 0xff;
    bool is_corrupt = kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB;
    store_file_explain(opening->file, code, text, sizeof text);
    opening_refuse(opening, "%s/%s %s: %s", opening->file->path, name, is_corrupt ? "is corrupt" : "cannot be used",
                   text);
    return kind == SQLITE_NOMEM ? RC_ENOMEM : RC_EINVAL;
}

int opening_ask_number(sqlite3 *db, const char *sql, int64_t *number_r)
{
    sqlite3_stmt *statement = NULL;
    *number_r = 0;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    if (code == SQLITE_ROW) *number_r = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

int opening_ask_text(sqlite3 *db, const char *sql, char *text_r, size_t text_size)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (code == SQLITE_ROW) code = text != NULL ? SQLITE_OK : SQLITE_NOMEM;
    snprintf(text_r, text_size, "%s", text != NULL ? text : "");
    sqlite3_finalize(statement);
    return code;
}
