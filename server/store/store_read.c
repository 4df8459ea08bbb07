/* server/store/store_read.c - what a channel has kept: frames made again from the decoded texts. */
#include "core/counters.h"
#include "core/message.h"
#include "server/config/history_rule.h"
#include "server/protocol/event.h"
#include "server/store/store_channel.h"
#include "server/store/store_job.h"
#include "server/store/store_log.h"
#include "server/store/store_retention.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for one more of *count things in *array, doubling. RC_OK or RC_ENOMEM. */
static enum rc grow(void **array, uint32_t count, size_t size)
{
    if ((count & (count - 1)) != 0 || (count > 0 && count < 8)) return RC_OK; /* room for 8, 16, 32 ... */
    void *grown = realloc(*array, (count < 8 ? 8 : (size_t)count * 2) * size);
    if (grown == NULL) return RC_ENOMEM;
    *array = grown;
    return RC_OK;
}

/* ---- messages ---- */

/* The row that stands in the statement. NULL: out of memory. */
static struct message *message_of_row(struct store_log *log, enum store_statement row, const struct store_job *job)
{
    struct position position = {.offset = store_number(log, row, 0)};
    memcpy(position.epoch, job->epoch, sizeof position.epoch);
    struct event event = {.name = store_text(log, row, 2),
                          .user_id = store_text(log, row, 3),
                          .data = store_text(log, row, 4),
                          .position = &position};
    if (event.name.at == NULL || event.data.at == NULL) return NULL; /* the table lets no NULL in */
    struct message *message = event_message(log->counters, job->channel, &event);
    if (message == NULL) return NULL;
    message->offset = position.offset;
    message->time_ms = store_number(log, row, 1);
    return message;
}

/* RC_OK: it is in the answer. RC_EFULL: it does not fit any more. RC_ENOMEM. */
static enum rc add_message(struct store_log *log, enum store_statement row, struct store_job *job, uint64_t *bytes)
{
    struct message *message = message_of_row(log, row, job);
    if (message == NULL) return RC_ENOMEM;
    *bytes += message->frame_bytes[FORM_EVENT];
    enum rc rc = *bytes > job->bytes_max && job->messages_count > 0 ? RC_EFULL : RC_OK;
    if (rc == RC_OK) rc = grow((void **)&job->messages, job->messages_count, sizeof(struct message *));
    if (rc == RC_OK) {
        job->messages[job->messages_count++] = message;
    } else {
        message_drop(log->counters, message);
    }
    return rc;
}

static void turn_round(struct store_job *job)
{
    for (uint32_t i = 0, k = job->messages_count; i + 1 < k; i++) {
        struct message *message = job->messages[i];
        job->messages[i] = job->messages[--k];
        job->messages[k] = message;
    }
}

/* From the first that is not expired on: all of them, also one that expired before it because the clock went back. */
static enum rc read_messages(struct store_log *log, struct store_job *job, const struct store_channel *channel)
{
    const enum store_statement rows = job->is_from_end ? STORE_SQL_READ_NEWEST : STORE_SQL_READ_OLDEST;
    store_bind_number(log, rows, 1, (uint64_t)channel->id);
    store_bind_number(log, rows, 2, job->since < job->first - 1 ? job->first - 1 : job->since);
    store_bind_number(log, rows, 3, job->before);
    uint32_t count_max = job->count_max > 0 ? job->count_max : 1;
    uint64_t bytes = 0;
    enum rc rc = RC_OK;
    while (job->messages_count < count_max && (rc = store_step(log, rows)) == RC_OK) {
        rc = add_message(log, rows, job, &bytes);
        if (rc != RC_OK) break;
    }
    store_reset(log, rows);
    if (job->is_from_end) turn_round(job);
    return rc == RC_ENOENT || rc == RC_EFULL ? RC_OK : rc;
}

static enum rc read_first(struct store_log *log, struct store_job *job, const struct store_channel *channel,
                          uint64_t now_ms)
{
    struct store_front expired;
    struct store_bounds bounds = store_bounds_of_time(now_ms, job->rule->ttl);
    enum rc rc = store_measure_front(log, channel, &bounds, UINT32_MAX, &expired);
    if (rc != RC_OK) return rc;
    store_bind_number(log, STORE_SQL_MESSAGE_FIRST, 1, (uint64_t)channel->id);
    store_bind_number(log, STORE_SQL_MESSAGE_FIRST, 2, expired.offset);
    rc = store_step(log, STORE_SQL_MESSAGE_FIRST);
    job->first = rc == RC_OK ? store_number(log, STORE_SQL_MESSAGE_FIRST, 0) : channel->last + 1;
    store_reset(log, STORE_SQL_MESSAGE_FIRST);
    return rc == RC_ENOENT ? RC_OK : rc;
}

/* ---- keys ---- */

static enum rc add_key(struct store_log *log, struct store_job *job)
{
    enum rc rc = grow((void **)&job->keys, job->keys_count, sizeof job->keys[0]);
    if (rc != RC_OK) return rc;
    struct store_key *key = &job->keys[job->keys_count];
    struct text text = store_text(log, STORE_SQL_KEYS_READ, 2);
    if (text.at == NULL) return RC_ENOMEM;
    *key = (struct store_key){.offset = store_number(log, STORE_SQL_KEYS_READ, 0),
                              .time_ms = store_number(log, STORE_SQL_KEYS_READ, 1)};
    memcpy(key->text, text.at, text.count < RECEIPT_KEY_BYTES_MAX ? text.count : RECEIPT_KEY_BYTES_MAX);
    job->keys_count++;
    return RC_OK;
}

static enum rc read_keys(struct store_log *log, struct store_job *job, const struct store_channel *channel,
                         enum receipt_owner owner, uint64_t now_ms)
{
    store_bind_keys(log, STORE_SQL_KEYS_READ, 1, channel, owner);
    store_bind_number(log, STORE_SQL_KEYS_READ, 2, store_expired_ms(now_ms, RECEIPT_MS));
    store_bind_number(log, STORE_SQL_KEYS_READ, 3, job->keys_max);
    enum rc rc;
    while ((rc = store_step(log, STORE_SQL_KEYS_READ)) == RC_OK) {
        rc = add_key(log, job);
        if (rc != RC_OK) break;
    }
    store_reset(log, STORE_SQL_KEYS_READ);
    return rc == RC_ENOENT ? RC_OK : rc;
}

/* ---- all of it ---- */

static enum rc read_channel(struct store_log *log, struct store_job *job, uint64_t now_ms)
{
    struct store_channel *channel;
    enum rc rc = store_channel_find(log, job, &channel);
    if (rc != RC_OK) return rc;
    if (store_forget_at_ms(channel->last_ms, job->rule->ttl) <= now_ms)
        return RC_ENOENT; /* the sweep is still to come */
    memcpy(job->epoch, channel->epoch, sizeof job->epoch);
    job->last = channel->last;
    job->last_ms = channel->last_ms;
    job->whole_from = channel->whole_from;
    rc = read_first(log, job, channel, now_ms);
    if (rc == RC_OK && job->is_all_or_nothing && job->since + 1 < job->first) return RC_OK;
    if (rc == RC_OK) rc = read_messages(log, job, channel);
    if (job->keys_max == 0) return rc;
    for (enum receipt_owner owner = 0; rc == RC_OK && owner < RECEIPT_OWNERS_MAX; owner++) {
        rc = read_keys(log, job, channel, owner, now_ms);
    }
    return rc;
}

enum rc store_log_read(struct store_log *log, struct store_job *job, uint64_t now_ms)
{
    assert(job->kind == STORE_READ);
    job->messages = NULL;
    job->keys = NULL;
    job->messages_count = job->keys_count = 0;
    job->last = job->first = job->last_ms = 0;
    job->epoch[0] = '\0';
    enum rc rc = read_channel(log, job, now_ms);
    if (rc != RC_OK) store_job_fini(log->counters, job);
    job->rc = rc;
    return rc == RC_ESTORE ? RC_ESTORE : RC_OK;
}
