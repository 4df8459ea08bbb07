/* server/store/store_retention.c - what leaves the durable log: what is too old, or too much, and keys nobody needs.
 *
 * Not obvious: only the oldest messages of a channel are looked at, up to the first that stays. When the clock was
 * put back a later message may expire before an earlier one: it is kept and read until the earlier one goes. But what
 * is ahead of the clock by more than HISTORY_AHEAD_MS does not count, or one wrong time would keep all behind it. */
#include "server/store/store_retention.h"

#include "core/counters.h"
#include "core/history.h"
#include "core/message.h"
#include "server/config/history_rule.h"
#include "server/store/store_channel.h"
#include "server/store/store_job.h"
#include "server/store/store_log.h"

#include <assert.h>

#define TRIM_ROWS_MAX 1024 /* in one append, should a rule have become much smaller */

uint64_t store_forget_at_ms(uint64_t last_ms, uint64_t ttl_ms)
{
    return last_ms + store_remembers_ms(ttl_ms);
}

struct store_bounds store_bounds_of_time(uint64_t now_ms, uint64_t ttl_ms)
{
    return (struct store_bounds){.count = STORE_NUMBER_MAX,
                                 .bytes = STORE_NUMBER_MAX,
                                 .expired_ms = store_expired_ms(now_ms, ttl_ms),
                                 .ahead_ms = now_ms + HISTORY_AHEAD_MS};
}

/* ---- messages and keys ---- */

static bool must_go(const struct store_channel *channel, const struct store_bounds *bounds,
                    const struct store_front *front, uint64_t time_ms)
{
    if (time_ms <= bounds->expired_ms) return true;
    uint64_t left = channel->count - front->rows;
    return left > bounds->least && (left > bounds->count || channel->bytes - front->bytes > bounds->bytes);
}

/* Of the rows of messages or keys that the bound statement has. What is ahead of the clock is no younger than what
 * comes behind it, so it goes with the first that is too old. */
static enum rc measure(struct store_log *log, enum store_statement oldest, const struct store_channel *channel,
                       const struct store_bounds *bounds, uint32_t rows_max, struct store_front *front)
{
    struct store_front all = *front = (struct store_front){.next_ms = STORE_NUMBER_MAX};
    enum rc rc = RC_OK;
    while (front->rows < rows_max && (rc = store_step(log, oldest)) == RC_OK) {
        uint64_t time_ms = store_number(log, oldest, 1);
        bool goes = must_go(channel, bounds, front, time_ms);
        if (!goes && time_ms <= bounds->ahead_ms) {
            front->next_ms = time_ms;
            break;
        }
        all.offset = store_number(log, oldest, 0);
        all.time_ms = time_ms;
        all.bytes += store_number(log, oldest, 2);
        all.rows++;
        if (goes) *front = all;
    }
    if (rc == RC_ENOENT && all.rows > front->rows) front->next_ms = all.time_ms; /* all that stay are ahead */
    store_reset(log, oldest);
    return rc == RC_ENOENT ? RC_OK : rc;
}

enum rc store_measure_front(struct store_log *log, const struct store_channel *channel,
                            const struct store_bounds *bounds, uint32_t rows_max, struct store_front *front)
{
    store_bind_number(log, STORE_SQL_MESSAGES_OLDEST, 1, (uint64_t)channel->id);
    store_bind_number(log, STORE_SQL_MESSAGES_OLDEST, 2, STORE_NUMBER_MAX);
    return measure(log, STORE_SQL_MESSAGES_OLDEST, channel, bounds, rows_max, front);
}

enum rc store_cut_front(struct store_log *log, struct store_channel *channel, const struct store_bounds *bounds,
                        uint32_t rows_max, struct store_front *front)
{
    enum rc rc = store_measure_front(log, channel, bounds, rows_max, front);
    if (rc != RC_OK || front->rows == 0) return rc;
    store_bind_number(log, STORE_SQL_MESSAGES_DELETE, 1, (uint64_t)channel->id);
    store_bind_number(log, STORE_SQL_MESSAGES_DELETE, 2, front->offset);
    rc = store_run(log, STORE_SQL_MESSAGES_DELETE);
    if (rc != RC_OK) return rc;
    channel->count -= front->rows;
    channel->bytes -= front->bytes;
    channel->first_ms = front->next_ms < STORE_NUMBER_MAX ? front->next_ms : front->time_ms;
    return RC_OK;
}

enum rc store_trim(struct store_log *log, struct store_channel *channel, const struct history_rule *rule,
                   uint64_t now_ms)
{
    bool is_beyond =
        channel->count > rule->size + (uint64_t)rule->size / 16 || channel->bytes > rule->bytes + rule->bytes / 16;
    if (!is_beyond) return RC_OK;
    struct store_front front;
    struct store_bounds bounds = store_bounds_of_time(now_ms, rule->ttl);
    bounds.count = rule->size;
    bounds.bytes = rule->bytes;
    bounds.least = 1;
    enum rc rc = store_cut_front(log, channel, &bounds, TRIM_ROWS_MAX, &front);
    counter_add(log->counters, COUNTER_store_expired, front.rows);
    return rc;
}

/* ---- keys ---- */

static enum rc cut_keys_of(struct store_log *log, const struct store_channel *channel, enum receipt_owner owner,
                           uint64_t now_ms, uint32_t rows_max, struct store_front *front)
{
    struct store_bounds bounds = store_bounds_of_time(now_ms, RECEIPT_MS);
    store_bind_keys(log, STORE_SQL_KEYS_OLDEST, 1, channel, owner);
    store_bind_number(log, STORE_SQL_KEYS_OLDEST, 2, STORE_NUMBER_MAX);
    enum rc rc = measure(log, STORE_SQL_KEYS_OLDEST, channel, &bounds, rows_max, front);
    if (rc != RC_OK || front->rows == 0) return rc;
    store_bind_keys(log, STORE_SQL_KEYS_DELETE, 1, channel, owner);
    store_bind_number(log, STORE_SQL_KEYS_DELETE, 2, front->offset);
    return store_run(log, STORE_SQL_KEYS_DELETE);
}

/* ---- sweep ---- */

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms < b_ms ? a_ms : b_ms;
}

/* When what stays at the front expires; 0: at once, for only a part of what is expired could be taken. */
static uint64_t next_sweep_ms(const struct store_front *front, uint32_t rows_max, uint64_t ttl_ms)
{
    if (front->rows == rows_max) return 0;
    return front->next_ms < STORE_NUMBER_MAX ? front->next_ms + ttl_ms : STORE_NUMBER_MAX;
}

enum rc store_delete_channel(struct store_log *log, const struct store_channel *channel)
{
    store_bind_number(log, STORE_SQL_CHANNEL_DELETE, 1, (uint64_t)channel->id);
    return store_run(log, STORE_SQL_CHANNEL_DELETE);
}

/* *sweep_ms becomes earlier if keys want that; *rows grows. */
static enum rc cut_keys(struct store_log *log, const struct store_channel *channel, uint64_t now_ms,
                        uint32_t rows_max, uint64_t *rows, uint64_t *sweep_ms)
{
    enum rc rc = RC_OK;
    for (enum receipt_owner owner = 0; rc == RC_OK && owner < RECEIPT_OWNERS_MAX; owner++) {
        struct store_front keys;
        rc = cut_keys_of(log, channel, owner, now_ms, rows_max, &keys);
        *rows += keys.rows;
        *sweep_ms = earlier(*sweep_ms, next_sweep_ms(&keys, rows_max, RECEIPT_MS));
    }
    return rc;
}

static enum rc sweep_channel(struct store_log *log, struct store_channel *channel, uint64_t now_ms, uint32_t rows_max,
                             uint32_t *rows_r)
{
    struct store_front messages;
    struct store_bounds bounds = store_bounds_of_time(now_ms, channel->ttl_ms);
    enum rc rc = store_cut_front(log, channel, &bounds, rows_max, &messages);
    uint64_t rows = messages.rows + 1; /* and the channel's */
    counter_add(log->counters, COUNTER_store_expired, messages.rows);
    channel->sweep_ms = next_sweep_ms(&messages, rows_max, channel->ttl_ms);
    if (rc == RC_OK) rc = cut_keys(log, channel, now_ms, rows_max, &rows, &channel->sweep_ms);
    if (rc != RC_OK) return rc;
    *rows_r = (uint32_t)rows;
    if (channel->sweep_ms == STORE_NUMBER_MAX) { /* nothing is left */
        channel->sweep_ms = store_forget_at_ms(channel->last_ms, channel->ttl_ms);
        if (channel->sweep_ms <= now_ms) return store_delete_channel(log, channel);
    }
    return store_channel_save(log, channel);
}

/* RC_ENOENT: none is due. */
static enum rc find_due(struct store_log *log, uint64_t now_ms, struct store_channel *channel)
{
    store_bind_number(log, STORE_SQL_CHANNELS_DUE, 1, now_ms);
    enum rc rc = store_step(log, STORE_SQL_CHANNELS_DUE);
    if (rc != RC_OK) return rc;
    store_channel_load(log, STORE_SQL_CHANNELS_DUE, channel);
    store_reset(log, STORE_SQL_CHANNELS_DUE);
    return RC_OK;
}

enum rc store_log_sweep(struct store_log *log, uint64_t now_ms, uint32_t rows_max, bool *has_more_r)
{
    assert(log->changed == NULL); /* a transaction of its own */
    struct store_channel channel;
    uint32_t left = rows_max;
    enum rc rc = RC_OK;
    while (left > 0 && (rc = find_due(log, now_ms, &channel)) == RC_OK) {
        uint32_t rows = 0;
        rc = sweep_channel(log, &channel, now_ms, left, &rows);
        if (rc != RC_OK) return rc;
        left -= rows < left ? rows : left;
    }
    if (left < rows_max) store_channels_forget(log); /* rows are not as remembered */
    *has_more_r = left == 0;
    return rc == RC_ENOENT ? RC_OK : rc;
}
