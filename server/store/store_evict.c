/* server/store/store_evict.c - what leaves the durable log when the database is as large as it may be.
 *
 * First what strangers can fill it with: the messages of channels that raw clients publish to, the oldest of all first;
 * a room of which nothing is left goes too. Then the oldest of the largest channel, a part at a time. An index has the
 * order, so that it costs the same however many channels there are.
 * Not obvious: a channel counts as a room from a raw client's message on, until nothing is left of it. Whoever can make
 * it one could push its messages out by the history rule's own bounds as well. */
#include "server/store/store_evict.h"

#include "core/counters.h"
#include "core/message.h"
#include "server/store/store_channel.h"
#include "server/store/store_directory.h"
#include "server/store/store_log.h"
#include "server/store/store_retention.h"
#include "server/store/store_schema.h"
#include "server/system/log.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define SLACK_MAX     UINT64_C(4194304)  /* how far below the bound it evicts, and as much again until it stops */
#define WAL_MAX       UINT64_C(67108864) /* what SQLite's log is truncated to, unless a part of the bound is less */
#define WAL_PAGES     4000               /* after which it is checkpointed, the same, */
#define WAL_PAGES_MIN 64                 /* but not at each commit */
#define PAGE_BYTES    4096
#define ROOM_ROWS     64 /* of one room, before the next one has its turn */
#define CHANNEL_ROWS  256
#define MIB(bytes)    ((unsigned long long)((bytes) >> 20))

static uint64_t at_most(uint64_t number, uint64_t most)
{
    return number < most ? number : most;
}

/* ---- rooms ---- */

static enum rc read_first_ms(struct store_log *log, struct store_channel *channel)
{
    store_bind_number(log, STORE_SQL_MESSAGES_OLDEST, 1, (uint64_t)channel->id);
    store_bind_number(log, STORE_SQL_MESSAGES_OLDEST, 2, 1);
    enum rc rc = store_step(log, STORE_SQL_MESSAGES_OLDEST);
    if (rc == RC_OK) channel->first_ms = store_number(log, STORE_SQL_MESSAGES_OLDEST, 1);
    store_reset(log, STORE_SQL_MESSAGES_OLDEST);
    return rc == RC_ENOENT ? RC_OK : rc;
}

enum rc store_evict_note(struct store_log *log, struct store_channel *channel, const struct message *message)
{
    bool was_room = channel->is_room && channel->count > 0;
    channel->is_room = was_room || message->origin == ORIGIN_ROOM;
    if (channel->count == 0) channel->first_ms = message->time_ms;
    return channel->is_room && !was_room && channel->count > 0 ? read_first_ms(log, channel) : RC_OK;
}

/* ---- the bound ---- */

static enum rc read_number(struct store_log *log, enum store_statement statement, uint64_t *number_r)
{
    enum rc rc = store_step(log, statement);
    if (rc == RC_OK) *number_r = store_number(log, statement, 0);
    store_reset(log, statement);
    return rc;
}

static enum rc read_state(struct store_log *log, const char *name, uint64_t *value_r)
{
    *value_r = 0;
    store_bind_text(log, STORE_SQL_STATE_READ, 1, text_of(name));
    return read_number(log, STORE_SQL_STATE_READ, value_r);
}

static enum rc write_state(struct store_log *log, const char *name, uint64_t value)
{
    store_bind_text(log, STORE_SQL_STATE_WRITE, 1, text_of(name));
    store_bind_number(log, STORE_SQL_STATE_WRITE, 2, value);
    return store_run(log, STORE_SQL_STATE_WRITE);
}

/* How far it may be above the bound because it was so when it got it; and notes that it has got it. */
static enum rc settle_kept(struct store_log *log, uint64_t bytes, uint64_t *kept_r)
{
    uint64_t bound, bytes_max = log->bound.bytes_max;
    enum rc rc = read_state(log, STORE_STATE_BOUND, &bound);
    bool is_first = rc == RC_ENOENT;
    if (is_first || rc == RC_OK) rc = read_state(log, STORE_STATE_KEPT, kept_r);
    if (rc != RC_OK && rc != RC_ENOENT) return rc;
    if (is_first && bytes > bytes_max) *kept_r = bytes - bytes_max;
    if ((!is_first && bound != bytes_max) || bytes <= bytes_max) *kept_r = 0; /* somebody has chosen; it has shrunk */
    rc = write_state(log, STORE_STATE_BOUND, bytes_max);
    return rc == RC_OK ? write_state(log, STORE_STATE_KEPT, *kept_r) : rc;
}

static enum rc apply_bound(struct store_log *log)
{
    uint64_t bytes = 0, kept = 0;
    enum rc rc = store_log_begin(log, true);
    if (rc == RC_OK) rc = read_number(log, STORE_SQL_BYTES, &bytes);
    if (rc == RC_OK) rc = settle_kept(log, bytes, &kept);
    if (rc == RC_OK) rc = store_log_commit(log);
    if (rc != RC_OK) {
        store_log_rollback(log);
        return rc;
    }
    if (kept == 0) return RC_OK;
    log_warn(
        "--data-dir %s has %llu MiB already, more than --store-disk-bytes-max %llu MiB: all of it is kept, and the "
        "oldest messages go when more would come; give a larger bound, or another one to have it cut to that",
        log->file.path, MIB(bytes), MIB(log->bound.bytes_max));
    log->bound.bytes_max += kept + log->bound.log_bytes_max;
    return RC_OK;
}

enum rc store_log_set_bound(struct store_log *log, uint64_t bytes_max)
{
    char settings[100];
    if (bytes_max == 0) return RC_OK;
    log->bound = (struct store_bound){.bytes_max = bytes_max, .log_bytes_max = at_most(bytes_max / 8, WAL_MAX)};
    snprintf(settings, sizeof settings, "PRAGMA wal_autocheckpoint = %llu; PRAGMA journal_size_limit = %llu",
             (unsigned long long)(at_most(bytes_max / 64 / PAGE_BYTES, WAL_PAGES - WAL_PAGES_MIN) + WAL_PAGES_MIN),
             (unsigned long long)log->bound.log_bytes_max);
    int code = sqlite3_exec(log->file.db, settings, NULL, NULL, NULL);
    return code == SQLITE_OK ? apply_bound(log) : store_log_failed(log, code);
}

/* What counts; 0: it cannot be read, which others will tell. */
static uint64_t bytes_used(struct store_log *log)
{
    struct stat wal = {0};
    uint64_t bytes = 0;
    if (read_number(log, STORE_SQL_BYTES, &bytes) != RC_OK) return 0;
    fstatat(log->file.directory, STORE_DATABASE "-wal", &wal, 0);
    return bytes + at_most((uint64_t)wal.st_size, log->bound.log_bytes_max);
}

/* Is it within so many slacks of the bound? */
static bool is_near(struct store_log *log, uint64_t slacks)
{
    uint64_t bytes_max = log->bound.bytes_max;
    return bytes_used(log) > bytes_max - slacks * at_most(bytes_max / 32, SLACK_MAX);
}

bool store_log_is_full(struct store_log *log)
{
    return log->bound.bytes_max > 0 && is_near(log, 1);
}

/* ---- evicting ---- */

/* RC_ENOENT: there is nothing. */
static enum rc find_next(struct store_log *log, struct store_channel *channel)
{
    store_bind_number(log, STORE_SQL_CHANNELS_TO_EVICT, 1, STORE_NUMBER_MAX);
    enum rc rc = store_step(log, STORE_SQL_CHANNELS_TO_EVICT);
    if (rc == RC_OK) store_channel_load(log, STORE_SQL_CHANNELS_TO_EVICT, channel);
    store_reset(log, STORE_SQL_CHANNELS_TO_EVICT);
    return rc;
}

/* RC_OK: it has keys. RC_ENOENT: none. */
static enum rc look_for_keys(struct store_log *log, const struct store_channel *channel)
{
    enum rc rc = RC_ENOENT;
    for (enum receipt_owner owner = 0; rc == RC_ENOENT && owner < RECEIPT_OWNERS_MAX; owner++) {
        store_bind_keys(log, STORE_SQL_KEYS_OLDEST, 1, channel, owner);
        store_bind_number(log, STORE_SQL_KEYS_OLDEST, 2, 1);
        rc = store_step(log, STORE_SQL_KEYS_OLDEST);
        store_reset(log, STORE_SQL_KEYS_OLDEST);
    }
    return rc;
}

/* A room that has no keys either goes: who comes to it again finds a new epoch. */
static enum rc forget_empty(struct store_log *log, struct store_channel *channel)
{
    enum rc rc = look_for_keys(log, channel);
    if (rc == RC_ENOENT) return store_delete_channel(log, channel);
    return rc == RC_OK ? store_channel_save(log, channel) : rc;
}

static enum rc evict_from(struct store_log *log, struct store_channel *channel, uint32_t *rows_r)
{
    struct store_front front;
    struct store_bounds bounds = {.count = channel->is_room ? 0 : STORE_NUMBER_MAX,
                                  .ahead_ms = STORE_NUMBER_MAX,
                                  .bytes = channel->bytes - channel->bytes / 16 - 1};
    enum rc rc = store_cut_front(log, channel, &bounds, channel->is_room ? ROOM_ROWS : CHANNEL_ROWS, &front);
    if (rc != RC_OK) return rc;
    if (front.rows == 0) channel->count = channel->bytes = 0; /* the table lied, or we would be here for ever */
    counter_add(log->counters, COUNTER_store_evictions, front.rows);
    *rows_r = (uint32_t)front.rows + 1; /* and the channel's */
    bool is_gone = channel->is_room && channel->count == 0;
    return is_gone ? forget_empty(log, channel) : store_channel_save(log, channel);
}

static void tell_once(struct store_log *log)
{
    if (log->bound.is_told) return;
    log->bound.is_told = true;
    log_warn(
        "--data-dir %s: store_disk_bytes_max reached, %llu MiB: the oldest messages of rooms go, then those of the "
        "largest channels",
        log->file.path, MIB(log->bound.bytes_max));
}

enum rc store_log_evict(struct store_log *log, uint32_t rows_max, bool *has_more_r)
{
    assert(log->changed == NULL); /* a transaction of its own */
    struct store_channel channel;
    uint32_t done = 0;
    enum rc rc = RC_OK;
    tell_once(log);
    while (done < rows_max && is_near(log, 2) && (rc = find_next(log, &channel)) == RC_OK) {
        uint32_t rows = 0;
        rc = evict_from(log, &channel, &rows);
        if (rc != RC_OK) return rc;
        done += rows;
    }
    store_channels_forget(log); /* rows are not as remembered */
    *has_more_r = done >= rows_max;
    return rc == RC_ENOENT ? RC_OK : rc;
}
