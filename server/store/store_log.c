/* server/store/store_log.c - opening, trouble, rules, transactions. */
#include "server/store/store_log.h"

#include "server/config/history_rule.h"
#include "server/store/store_channel.h"
#include "server/store/store_file.h"
#include "server/store/store_schema.h"
#include "server/system/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const texts[STORE_STATEMENTS_MAX] = {
#define STORE_SQL(name, text) [STORE_SQL_##name] = (text),
#include "server/store/store_sql.def"
#undef STORE_SQL
};

/* ---- life ---- */

static enum rc prepare(struct store_log *log)
{
    for (enum store_statement i = 0; i < STORE_STATEMENTS_MAX; i++) {
        int code =
            sqlite3_prepare_v3(log->file.db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &log->statements[i], NULL);
        if (code != SQLITE_OK) return store_log_failed(log, code);
    }
    return RC_OK;
}

enum rc store_log_open(struct store_log **log_r, struct counters *counters, const char *data_dir, bool is_synced,
                       char *reason_r, size_t reason_size)
{
    struct store_log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        snprintf(reason_r, reason_size, "store: out of memory");
        return RC_ENOMEM;
    }
    log->counters = counters;
    enum rc rc = store_file_open(&log->file, data_dir, is_synced, reason_r, reason_size);
    if (rc != RC_OK) {
        free(log);
        return rc;
    }
    if (prepare(log) != RC_OK) {
        snprintf(reason_r, reason_size, "%s", log->reason);
        store_log_close(log);
        return RC_EINVAL;
    }
    *log_r = log;
    return RC_OK;
}

void store_log_has_started(struct store_log *log)
{
    store_file_tell_progress(&log->file, false);
}

void store_log_close(struct store_log *log)
{
    if (log == NULL) return;
    for (enum store_statement i = 0; i < STORE_STATEMENTS_MAX; i++) {
        sqlite3_finalize(log->statements[i]);
    }
    store_file_close(&log->file);
    free(log);
}

/* ---- trouble ---- */

const char *store_log_trouble(const struct store_log *log)
{
    return log->trouble;
}

const char *store_log_reason(const struct store_log *log)
{
    return log->reason;
}

enum rc store_log_look(struct store_log *log)
{
    log->is_astray = store_file_look(&log->file, log->reason, sizeof log->reason) != RC_OK;
    if (!log->is_astray) return RC_OK;
    log->trouble = "its files were removed or replaced";
    return RC_ESTORE;
}

enum rc store_log_probe(struct store_log *log)
{
    if (store_log_look(log) != RC_OK) return RC_ESTORE;
    int code = store_file_probe(&log->file);
    return code == SQLITE_OK ? RC_OK : store_log_failed(log, code);
}

void store_log_set_patience(struct store_log *log, bool is_patient)
{
    store_file_set_patience(&log->file, is_patient);
}

/* ---- rules ---- */

static enum rc renew_channels(struct store_log *log, const struct history_rule_list *rules)
{
    enum rc rc;
    while ((rc = store_step(log, STORE_SQL_CHANNELS_ALL)) == RC_OK) {
        const struct history_rule *rule = history_rule_of(rules, store_text(log, STORE_SQL_CHANNELS_ALL, 1));
        if (rule != NULL && rule->durable) continue;
        store_bind_number(log, STORE_SQL_CHANNEL_RENEW, 1, store_number(log, STORE_SQL_CHANNELS_ALL, 0));
        rc = store_run(log, STORE_SQL_CHANNEL_RENEW);
        if (rc != RC_OK) break;
    }
    store_reset(log, STORE_SQL_CHANNELS_ALL);
    return rc == RC_ENOENT ? RC_OK : rc;
}

enum rc store_log_apply_rules(struct store_log *log, const struct history_rule_list *rules)
{
    enum rc rc = store_log_begin(log, true);
    if (rc == RC_OK) rc = renew_channels(log, rules);
    if (rc == RC_OK) rc = store_log_commit(log);
    if (rc != RC_OK) store_log_rollback(log);
    return rc;
}

enum rc store_log_each_channel(struct store_log *log, store_channel_fn *tell, void *owner)
{
    enum rc rc;
    while ((rc = store_step(log, STORE_SQL_CHANNELS_ALL)) == RC_OK) {
        struct text name = store_text(log, STORE_SQL_CHANNELS_ALL, 1);
        struct text app_id = store_text(log, STORE_SQL_CHANNELS_ALL, 2); /* SQLite terminates it */
        if (name.at != NULL && app_id.at != NULL) tell(owner, app_id.at, name);
    }
    return rc == RC_ENOENT ? RC_OK : rc;
}

/* ---- transactions ---- */

enum rc store_log_begin(struct store_log *log, bool writes)
{
    if (writes && log->is_astray && store_log_look(log) != RC_OK) return RC_ESTORE;
    return store_run(log, writes ? STORE_SQL_BEGIN_WRITE : STORE_SQL_BEGIN);
}

enum rc store_log_commit(struct store_log *log)
{
    enum rc rc = store_channels_save(log);
    return rc == RC_OK ? store_run(log, STORE_SQL_COMMIT) : rc;
}

void store_log_rollback(struct store_log *log)
{
    store_channels_forget(log);
    if (sqlite3_get_autocommit(log->file.db)) return; /* SQLite has done it already */
    /* Not prepared: it must work whatever failed, and it says nothing new. */
    sqlite3_exec(log->file.db, "ROLLBACK", NULL, NULL, NULL);
}
