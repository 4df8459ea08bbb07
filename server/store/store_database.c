/* server/store/store_database.c - why SQLite refused, in words, and what to do. */
#include "server/store/store_database.h"

#include <stdio.h>
#include <string.h>

const char *store_opening_cure_of(int kind)
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
             error != 0 ? ", " : "", error != 0 ? strerror(error) : "", store_opening_cure_of(kind));
}
