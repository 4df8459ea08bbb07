/* server/store/store_opening.c - why SQLite refused, in words, and what to do. */
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
    return RC_EINVAL;
}

const char *opening_cure_of(int kind)
{
    switch (kind) {
    case SQLITE_FULL:
        return "make room on its disk";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return "restore it from a backup, or move it away to begin a new one";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return "end the other program that writes to it";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return "its directory and files must be writable for this user";
    case SQLITE_NOMEM:
        return "give the machine more memory";
    default:
        return "look at its disk, and at the limit of the size of files";
    }
}

/* SQLite tells the kernel's error of reading and opening; that of writing the log is to be had from the file. */
static int system_error(sqlite3 *db)
{
    sqlite3_file *log = NULL;
    int error = sqlite3_system_errno(db);
    if (error != 0) return error;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log != NULL && log->pMethods != NULL) log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
    return error;
}

void store_file_explain(const struct store_file *file, int code, char *text_r, size_t text_size)
{
    int kind = code & 0xff; /* without SQLite's finer codes */
    bool is_known = code == sqlite3_extended_errcode(file->db);
    int error = kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN ? system_error(file->db) : 0;
    snprintf(text_r, text_size, "%s%s%s: %s", is_known ? sqlite3_errmsg(file->db) : sqlite3_errstr(code),
             error != 0 ? ", " : "", error != 0 ? strerror(error) : "", opening_cure_of(kind));
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
