/* server/store/store_statement.h - the durable log while it is open, and its statements.
 *
 * Parameters stay bound, and texts must live, until the statement ran. Threads: as in server/store/store_log.h. */
#pragma once

#include "core/name.h"
#include "core/position.h"
#include "core/receipts.h"
#include "server/store/store_database.h"

#include <stdint.h>

#define STORE_CHANNELS   1024      /* remembered, so that a busy channel is neither looked up nor saved every time */
#define STORE_NUMBER_MAX INT64_MAX /* of numbers in SQLite */

struct counters;

enum store_statement {
#define STORE_SQL(name, text) STORE_SQL_##name,
#include "server/store/store_sql.def"
#undef STORE_SQL
    STORE_STATEMENTS_MAX
};

/* A row of the table, as it will be after the transaction. */
struct store_channel {
    int64_t id;
    char epoch[EPOCH_BYTES + 1];
    uint64_t last;
    uint64_t last_ms;
    uint64_t ttl_ms;
    uint64_t count;
    uint64_t bytes;
    uint64_t sweep_ms;
    uint64_t sweep_ms_saved; /* as it stands in the table */
    uint64_t whole_from;
    bool is_room;
    uint64_t first_ms;       /* time of the oldest message that is kept; known of rooms alone */
    uint64_t eviction_saved; /* as it stands in the table */
};

/* One of the channels used lately, at the place that its name's hash gives it. */
struct store_slot {
    struct store_channel channel; /* first: see store_channel_changed() */
    struct name name;             /* of `text`; text == NULL: the slot is free */
    char text[NAME_BYTES_MAX];
    bool is_changed;         /* and not yet saved */
    bool is_listed;          /* in the list of slots that were changed in this transaction */
    struct store_slot *next; /* in that list */
};

/* The bound of the database's bytes. */
struct store_bound {
    uint64_t bytes_max;     /* 0: none */
    uint64_t log_bytes_max; /* what of SQLite's log counts: another program that reads can make it grow without end */
    bool is_told;           /* that it is reached */
};

struct store_log {
    struct store_file file;
    struct store_bound bound;
    struct counters *counters;
    sqlite3_stmt *statements[STORE_STATEMENTS_MAX];
    struct store_slot *changed; /* list */
    bool is_astray;             /* its files were not those any more that were opened */
    const char *trouble;
    char reason[512];
    struct store_slot slots[STORE_CHANNELS];
};

/* Notes why SQLite refused; RC_ESTORE. */
enum rc store_log_failed(struct store_log *log, int code);

/* Runs a statement without rows. RC_OK or RC_ESTORE. */
enum rc store_run(struct store_log *log, enum store_statement statement);
/* RC_OK: the next row stands in the statement. RC_ENOENT: there are no more, it is reset. RC_ESTORE: it is reset,
 * too. */
enum rc store_step(struct store_log *log, enum store_statement statement);
/* Ends a statement before its last row was seen. */
void store_reset(struct store_log *log, enum store_statement statement);

/* Binding fails only for what is too big for SQLite, and then NULL is bound, which the table refuses. */
static inline void store_bind_number(struct store_log *log, enum store_statement statement, int at, uint64_t number)
{
    if (number > STORE_NUMBER_MAX) number = STORE_NUMBER_MAX;
    sqlite3_bind_int64(log->statements[statement], at, (int64_t)number);
}

/* The keys of a channel's publishes stand under its number, those of clients under the same below zero: each kind is
 * read and cut by itself, and however many there are of one, the other's are found at once. */
static inline void store_bind_keys(struct store_log *log, enum store_statement statement, int at,
                                   const struct store_channel *channel, enum receipt_owner owner)
{
    int64_t number = owner == RECEIPT_OF_CLIENT ? -channel->id : channel->id;
    sqlite3_bind_int64(log->statements[statement], at, number);
}

static inline void store_bind_text(struct store_log *log, enum store_statement statement, int at, struct text text)
{
    sqlite3_bind_text64(log->statements[statement], at, text.at, text.count, SQLITE_STATIC, SQLITE_UTF8);
}

static inline uint64_t store_number(const struct store_log *log, enum store_statement statement, int at)
{
    return (uint64_t)sqlite3_column_int64(log->statements[statement], at);
}

/* Lives until the next step. at == NULL: NULL, or out of memory. */
static inline struct text store_text(const struct store_log *log, enum store_statement statement, int at)
{
    const char *text = (const char *)sqlite3_column_text(log->statements[statement], at);
    return (struct text){.at = text, .count = (size_t)sqlite3_column_bytes(log->statements[statement], at)};
}
