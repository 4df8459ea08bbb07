/* server/store/store_statement.c - running statements, and what to say when SQLite refuses one. */
#include "server/store/store_statement.h"

#include <assert.h>
#include <stdio.h>

enum rc store_log_failed(struct store_log *log, int code)
{
    char text[300];
    store_file_explain(&log->file, code, text, sizeof text);
    log->trouble = sqlite3_errstr(code);
    snprintf(log->reason, sizeof log->reason, "%.200s: %s", sqlite3_db_filename(log->file.db, "main"), text);
    return RC_ESTORE;
}

enum rc store_step(struct store_log *log, enum store_statement statement)
{
    assert(statement < STORE_STATEMENTS_MAX && log->statements[statement] != NULL);
    int code = sqlite3_step(log->statements[statement]);
    if (code == SQLITE_ROW) return RC_OK;
    enum rc rc = code == SQLITE_DONE ? RC_ENOENT : store_log_failed(log, code);
    store_reset(log, statement);
    return rc;
}

void store_reset(struct store_log *log, enum store_statement statement)
{
    assert(statement < STORE_STATEMENTS_MAX);
    sqlite3_reset(log->statements[statement]);
}

enum rc store_run(struct store_log *log, enum store_statement statement)
{
    enum rc rc = store_step(log, statement);
    assert(rc != RC_OK); /* it has no rows */
    return rc == RC_ENOENT ? RC_OK : rc;
}
