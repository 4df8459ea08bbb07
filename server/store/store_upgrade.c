/* server/store/store_upgrade.c - versions of the database: which one it has, and the steps from each to the next. */
#include "server/store/store_upgrade.h"

#include "server/store/store_directory.h"
#include "server/store/store_opening.h"
#include "server/store/store_schema.h"
#include "server/system/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COPY     STORE_DATABASE ".version-%d"
#define COPY_NEW STORE_DATABASE ".copy" /* being written */

/* What brings a database of a version to the next one. */
static const char *const steps[STORE_VERSION] = {
    [1] = STORE_STEP_1_TO_2,
};

/* ---- which version ---- */

/* The file alone does not know: a version that was written lately stands in the log. */
enum rc store_version_of(struct opening *opening, int *version_r)
{
    int64_t version;
    int code = opening_ask_number(opening->file->db, "PRAGMA user_version", &version);
    if (code != SQLITE_OK) return opening_refuse_by_sqlite(opening, STORE_DATABASE, code);
    *version_r = (int)version;
    if (version > STORE_VERSION) {
        return opening_refuse(opening,
                              "%s/" STORE_DATABASE
                              " is of a newer ringcast: it has version %lld, this one knows up to "
                              "%d: start the newer ringcast, or choose another --data-dir",
                              opening->file->path, (long long)version, STORE_VERSION);
    }
    if (version > 0) return RC_OK;
    return opening_refuse(opening,
                          "%s/" STORE_DATABASE
                          " has version %lld, which no ringcast makes: restore it from a backup, "
                          "or choose another --data-dir",
                          opening->file->path, (long long)version);
}

/* ---- the copy ---- */

static enum rc refuse_copy(struct opening *opening, int version, const char *why)
{
    unlinkat(opening->file->directory, COPY_NEW, 0);
    return opening_refuse(opening,
                          "%s/" STORE_DATABASE " is to be brought from version %d to %d, but no copy of it can be "
                          "saved first: %s",
                          opening->file->path, version, STORE_VERSION, why);
}

/* With what stands in the log; into an empty file that we have made, because SQLite would let others read it. */
static int copy_database(const struct store_file *file)
{
    char path[PATH_MAX + 32];
    sqlite3_stmt *statement = NULL;
    snprintf(path, sizeof path, "%s/" COPY_NEW, file->path);
    int code = sqlite3_prepare_v2(file->db, "VACUUM INTO ?1", -1, &statement, NULL);
    if (code == SQLITE_OK) code = sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    sqlite3_finalize(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* The copy replaces that of an earlier upgrade, which was of an older state of the same database. */
static enum rc save_copy(struct opening *opening, int version)
{
    const struct store_file *file = opening->file;
    char name[32], why[300];
    snprintf(name, sizeof name, COPY, version);
    unlinkat(file->directory, COPY_NEW, 0); /* of a start that was cut off */
    int copy = openat(file->directory, COPY_NEW, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (copy < 0) return refuse_copy(opening, version, strerror(errno));
    int code = copy_database(file), error = 0;
    if (code != SQLITE_OK) store_file_explain(file, code, why, sizeof why);
    if (code == SQLITE_OK && fsync(copy) != 0) error = errno;
    close(copy);
    if (code != SQLITE_OK) return refuse_copy(opening, version, why);
    if (error == 0 && renameat(file->directory, COPY_NEW, file->directory, name) != 0) error = errno;
    if (error == 0 && fsync(file->directory) != 0) error = errno;
    return error == 0 ? RC_OK : refuse_copy(opening, version, strerror(error));
}

/* ---- the steps ---- */

static int take_steps(sqlite3 *db, int version)
{
    char set_version[40];
    snprintf(set_version, sizeof set_version, "PRAGMA user_version = %d", STORE_VERSION);
    int code = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
    for (int from = version; from < STORE_VERSION && code == SQLITE_OK; from++) {
        code = sqlite3_exec(db, steps[from], NULL, NULL, NULL);
    }
    if (code == SQLITE_OK) code = sqlite3_exec(db, set_version, NULL, NULL, NULL);
    if (code == SQLITE_OK) code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    return code;
}

enum rc store_upgrade(struct opening *opening, int version)
{
    if (version == STORE_VERSION) return RC_OK;
    log_info("%s/" STORE_DATABASE " has version %d: a copy is saved as " COPY ", then it becomes version %d",
             opening->file->path, version, version, STORE_VERSION);
    enum rc rc = save_copy(opening, version);
    if (rc != RC_OK) return rc;
    int code = take_steps(opening->file->db, version);
    if (code == SQLITE_OK) { /* version 1 looked into the file alone: what stands in the log it would write over */
        sqlite3_wal_checkpoint_v2(opening->file->db, "main", SQLITE_CHECKPOINT_FULL, NULL, NULL);
        return RC_OK;
    }
    rc = opening_refuse_by_sqlite(opening, STORE_DATABASE, code);
    sqlite3_exec(opening->file->db, "ROLLBACK", NULL, NULL, NULL); /* if it began */
    return rc;
}
