/* server/home/channel_log.c - windows: what is kept, for how long, and what waits until that is known. */
#include "server/home/channel_log.h"

#include "core/channel.h"
#include "core/join.h"
#include "core/message.h"
#include "core/query.h"
#include "core/receipts.h"
#include "core/roster.h"
#include "server/config/history_rule.h"
#include "server/home/channel_log_private.h"
#include "server/home/home.h"
#include "server/home/home_answer.h"
#include "server/home/home_deliver.h"
#include "server/home/home_hook.h"
#include "server/home/home_publish.h"
#include "server/home/home_query.h"
#include "server/home/home_roster.h"
#include "server/protocol/event.h"
#include "server/shard/shard.h"
#include "server/store/store.h"
#include "server/system/clock.h"
#include "server/system/log.h"
#include "server/system/random_word.h"

#include <assert.h>
#include <stdlib.h>

#define DURABLE_MESSAGES_MAX 1000        /* of a durable channel that stay in memory: the store has the rest */
#define DURABLE_IDLE_MS      (60 * 1000) /* then a durable channel without subscribers is left to the store */
#define SAVE_AGAIN_MS        1000        /* until the store is told once more of a loss that it could not note */

/* What came while the log was being read: one of the three, or message and query. */
struct log_wait {
    struct log_wait *next;
    struct join *join;
    struct message *message;
    struct query *query;
};

static uint64_t day_ms(struct shard *shard)
{
    return day_clock_ms(&shard->day_clock, shard->now_ms + shard->lost_ms);
}

/* ---- life ---- */

const struct history_rule *channel_log_rule(const struct shard *shard, const struct name *channel)
{
    if (shard->options->history.count == 0) return NULL;
    return history_rule_of(&shard->options->history, name_text(channel));
}

static void choose_epoch(char epoch[EPOCH_BYTES + 1])
{
    random_word(epoch, EPOCH_BYTES);
    epoch[EPOCH_BYTES] = '\0';
}

/* While nothing of a channel was ever to be kept its epoch is always the same one, so that who comes back to it has
 * missed nothing, though nobody remembers it; and nobody but us can tell which. */
static void choose_epoch_unseen(const struct shard *shard, const struct name *channel, char epoch[EPOCH_BYTES + 1])
{
    word_of_number(channel->hash ^ shard->epoch_key, epoch, EPOCH_BYTES);
    epoch[EPOCH_BYTES] = '\0';
}

static struct channel_log *log_new(struct shard *shard, struct roster *roster)
{
    const struct history_rule *rule = roster->rule;
    struct channel_log *log = malloc(sizeof *log);
    if (log == NULL) return NULL;
    bool is_unseen = !log_is_seen(shard, roster);
    *log = (struct channel_log){
        .roster = roster,
        .rule = rule,
        .state = rule->durable && !is_unseen ? LOG_UNREAD : LOG_READY,
        .is_unseen = is_unseen,
        .used_ms = shard->now_ms,
    };
    log->waiting_end = &log->waiting;
    if (is_unseen) {
        choose_epoch_unseen(shard, &roster->channel->name, log->window.last.epoch);
    } else if (!rule->durable) {
        choose_epoch(log->window.last.epoch);
    }
    log_begin(shard, log);
    return log;
}

enum rc channel_log_open(struct shard *shard, struct roster *roster, struct channel_log **log_r)
{
    *log_r = roster->log;
    if (roster->log == NULL) {
        if (roster->rule == NULL) return RC_ENOENT;
        roster->log = log_new(shard, roster);
        if (roster->log == NULL) return RC_ENOMEM;
        home_set_timer(shard, roster); /* whatever becomes of what it was made for */
        log_bound(shard, roster->log);
    }
    struct channel_log *log = *log_r = roster->log;
    log_touch(shard, log);
    if (log->state == LOG_UNREAD) {
        enum rc rc = log_ask_window(shard, log);
        if (rc != RC_OK) return rc;
    }
    if (log->state == LOG_READING) return RC_PENDING;
    return log->state == LOG_READY ? RC_OK : RC_ESTORE;
}

/* ---- the window ---- */

struct history_bounds log_bounds(const struct shard *shard, const struct channel_log *log)
{
    const struct history_rule *rule = log->rule;
    struct history_bounds bounds = {.messages = rule->size, .bytes = rule->bytes, .ttl_ms = rule->ttl};
    if (!rule->durable) return bounds;
    if (bounds.messages > DURABLE_MESSAGES_MAX) bounds.messages = DURABLE_MESSAGES_MAX;
    if (bounds.bytes > shard->options->replay_bytes_max) bounds.bytes = shard->options->replay_bytes_max;
    return bounds;
}

static void trim(struct shard *shard, struct channel_log *log)
{
    struct history_bounds bounds = log_bounds(shard, log);
    history_trim(&log->window, &shard->counters, &bounds, day_ms(shard));
    log_count(shard, log);
}

static void add(struct shard *shard, struct channel_log *log, struct message *placed)
{
    message_hold(placed, 1);
    if (history_append(&log->window, placed) != RC_OK) {
        message_drop(&shard->counters, placed);
        while (log->rule->durable && log->window.count > 0) { /* a page must not come from a window with a hole */
            history_forget_oldest(&log->window, &shard->counters);
        }
        history_skip(&log->window, placed->offset); /* readers get it; who resumes will be told that it is missing */
        counter_add(&shard->counters, COUNTER_history_unkept, 1);
    }
    log_count(shard, log);
}

/* Is it time, and possible, to tell the store of it? */
static bool may_save_loss(const struct channel_log *log)
{
    return log_knows_of_loss(log) && !log->is_saving && (log->state == LOG_READY || log->state == LOG_UNREAD);
}

/* Nobody loses by its going but who comes back later than it promised to wait. */
static bool may_go(const struct channel_log *log)
{
    return roster_subscribers(log->roster) == 0 && log->jobs == 0 && log->waiting == NULL;
}

/* ---- keeping ---- */

/* Something of it was to be kept: from here on only the store knows what it has. */
static void note_seen(struct shard *shard, struct channel_log *log)
{
    if (!log->is_unseen) return;
    log->is_unseen = false;
    log_note_seen(shard, &log->roster->channel->name);
}

/* The message with the next offset; NULL: out of memory. Leaves *message the caller's, which may be another one. */
static struct message *place(struct shard *shard, struct channel_log *log, struct message **message)
{
    uint64_t time_ms = day_ms(shard);
    bool is_set_back = log->given_ms > time_ms && log->given_ms - time_ms <= HISTORY_AHEAD_MS;
    if (is_set_back) time_ms = log->given_ms; /* further ahead it was wrong before */
    if (!message_has(*message, FORM_EVENT)) *message = event_of_raw(&shard->counters, *message);
    if (!message_has(*message, FORM_EVENT)) return NULL;
    struct position position = log->window.last;
    position.offset = log->given + 1;
    message_hold(*message, 1);
    struct message *placed = event_at(&shard->counters, *message, &position, time_ms);
    if (placed == NULL) message_drop(&shard->counters, *message);
    return placed;
}

enum rc channel_log_keep(struct shard *shard, struct channel_log *log, struct message *message, struct query *query,
                         struct receipt *receipt)
{
    assert(log->state == LOG_READY);
    note_seen(shard, log);
    struct message *placed = place(shard, log, &message);
    if (placed == NULL) {
        channel_log_refuse(shard, log, RC_ENOMEM, message, query, receipt);
        return RC_OK;
    }
    log->given = placed->offset;
    log->given_ms = placed->time_ms;
    log->used_ms = shard->now_ms;
    if (log->rule->durable) {
        log_ask_append(shard, log, message, placed, query, receipt);
        return shard->deliveries_waiting > 0 ? RC_PENDING : RC_OK; /* it cannot be heard how this one fares */
    }
    message_drop(&shard->counters, message);
    return log_kept(shard, log, placed, query, receipt);
}

enum rc log_kept(struct shard *shard, struct channel_log *log, struct message *placed, struct query *query,
                 struct receipt *receipt)
{
    bool was_empty = log->window.count == 0;
    add(shard, log, placed);
    trim(shard, log);
    log_touch(shard, log);
    struct position position = log->window.last;
    struct roster *roster = log->roster;
    log_bound(shard, log);
    if (was_empty) home_set_timer(shard, roster);
    if (placed->origin == ORIGIN_ROOM) home_tell_room_message(shard, placed, position.epoch);
    enum rc rc = home_deliver(shard, roster->channel, placed);
    home_answer_publish(shard, query, receipt, RC_OK, &position); /* last: who is answered may publish the next */
    return rc;
}

/* There was no memory for its log: at least it must not seem that nothing was ever said. */
static void note_loss(struct shard *shard, const struct name *channel)
{
    if (channel_log_rule(shard, channel) != NULL) log_note_seen(shard, channel);
}

void log_send_unkept(struct shard *shard, struct channel_log *log, struct message *message)
{
    counter_add(&shard->counters, COUNTER_history_unkept, 1);
    if (log != NULL) note_seen(shard, log);
    if (log == NULL) note_loss(shard, &message->channel);
    if (log != NULL && log->state == LOG_READY) {
        log->whole_from = log->window.last.offset + 1;
    } else if (log != NULL) {
        log->is_torn = true;
    }
    if (log != NULL) home_set_timer(shard, log->roster); /* which tells the store */
    struct channel *channel = hub_find(&shard->hub, &message->channel);
    if (channel != NULL) {
        home_deliver(shard, channel, message);
    } else {
        message_drop(&shard->counters, message);
    }
}

void log_refuse(struct shard *shard, struct channel_log *log, enum rc rc, struct message *message,
                struct query *query, struct receipt *receipt)
{
    static const struct position nowhere;
    if (query == NULL) {
        log_send_unkept(shard, log, message);
        return;
    }
    message_drop(&shard->counters, message);
    home_answer_publish(shard, query, receipt, rc, &nowhere);
}

void channel_log_refuse(struct shard *shard, struct channel_log *log, enum rc rc, struct message *message,
                        struct query *query, struct receipt *receipt)
{
    bool is_behind = false;
    if (query == NULL) {
        log_warn("a message goes out that its channel's history cannot keep: %s", rc_text(rc));
        is_behind = log != NULL && log_lose_behind(shard, log, message);
    }
    if (!is_behind) log_refuse(shard, log, rc, message, query, receipt);
}

bool channel_log_is_whole(const struct channel_log *log, const struct position *from)
{
    const struct position *last = &log->window.last;
    return position_is_of(from, last->epoch) && from->offset >= log->whole_from && from->offset <= last->offset;
}

/* ---- reading the log ---- */

bool log_has_room(const struct shard *shard, const struct message *message)
{
    uint64_t bytes = counter_get(&shard->counters, COUNTER_store_bytes_waiting);
    uint64_t count = counter_get(&shard->counters, COUNTER_store_waiting);
    return count < shard->options->store_jobs_max &&
           bytes + history_message_bytes(message) <= shard->options->store_bytes_max;
}

void log_count_waiting(struct shard *shard, const struct message *message, bool is_more)
{
    uint64_t sign = is_more ? 1 : UINT64_MAX; /* -1 */
    counter_add(&shard->counters, COUNTER_store_waiting, sign);
    counter_add(&shard->counters, COUNTER_store_bytes_waiting, sign * history_message_bytes(message));
}

enum rc channel_log_wait(struct shard *shard, struct channel_log *log, struct join *join, struct message *message,
                         struct query *query)
{
    assert(log->state == LOG_READING);
    if (message != NULL && !log_has_room(shard, message)) return RC_EFULL;
    struct log_wait *wait = malloc(sizeof *wait);
    if (wait == NULL) return RC_ENOMEM;
    if (message != NULL) log_count_waiting(shard, message, true);
    *wait = (struct log_wait){.join = join, .message = message, .query = query};
    *log->waiting_end = wait;
    log->waiting_end = &wait->next;
    return RC_OK;
}

static void take_keys(struct shard *shard, const struct channel_log *log, const struct store_job *job)
{
    const struct name *channel = &log->roster->channel->name;
    uint64_t wall_ms = day_ms(shard);
    struct receipt *cursors[RECEIPT_OWNERS_MAX] = {NULL};
    for (uint32_t i = 0; i < job->keys_count; i++) {
        const struct store_key *key = &job->keys[i];
        struct receipts *receipts = home_receipts(shard);
        if (receipts == NULL) return;
        struct text text = text_of(key->text);
        if (receipts_find(receipts, channel, text, shard->now_ms) != NULL) continue;
        uint64_t age_ms = wall_ms > key->time_ms ? wall_ms - key->time_ms : 0;
        if (age_ms >= RECEIPT_MS) continue; /* it has just been over */
        uint64_t opened_ms = shard->now_ms > age_ms ? shard->now_ms - age_ms : 0;
        struct position position = log->window.last;
        position.offset = key->offset;
        receipts_restore(receipts, channel, text, opened_ms, &position, cursors);
    }
    home_count_keys(shard);
}

void log_fill(struct shard *shard, struct channel_log *log, struct store_job *job)
{
    struct history *window = &log->window;
    log->is_stored = job->rc == RC_OK;
    if (job->rc == RC_OK) {
        memcpy(window->last.epoch, job->epoch, sizeof window->last.epoch);
        window->last.offset = window->forgotten = job->last;
        if (job->messages_count > 0) window->forgotten = job->messages[0]->offset - 1;
        for (uint32_t i = 0; i < job->messages_count; i++) {
            add(shard, log, job->messages[i]);
        }
        take_keys(shard, log, job);
    } else {
        choose_epoch(window->last.epoch);
    }
    log->given = window->last.offset;
    log->given_ms = job->last_ms;
    log->whole_from = log->stored_whole_from = job->whole_from;
    if (log->is_torn) log->whole_from = window->last.offset + 1;
    log->is_torn = false;
    log_bound(shard, log);
    home_set_timer(shard, log->roster);
}

void log_go_on(struct shard *shard, struct channel_log *log, enum channel_log_state state)
{
    log->state = state;
    log->jobs++; /* it stays until all have gone on */
    while (log->waiting != NULL) {
        struct log_wait *wait = log->waiting;
        log->waiting = wait->next;
        if (log->waiting == NULL) log->waiting_end = &log->waiting;
        if (wait->join != NULL) {
            home_subscribe(shard, wait->join->from, wait->join);
        } else if (wait->message != NULL) {
            log_count_waiting(shard, wait->message, false);
            home_publish(shard, wait->message, wait->query);
        } else {
            query_take(shard, wait->query);
        }
        free(wait);
    }
    log->jobs--;
    if (log->state == LOG_FAILED) log->state = LOG_UNREAD; /* who comes next tries again */
    home_set_timer(shard, log->roster);
}

/* ---- time ---- */

/* How long it stays when nobody subscribes to it and nothing is left in its window. */
static uint64_t idle_ms(const struct channel_log *log)
{
    if (log->is_unseen) return 0;
    if (!log->rule->durable) return log->given > 0 ? log->rule->ttl : 0;
    if (!log_knows_of_loss(log)) return DURABLE_IDLE_MS;
    return store_remembers_ms(log->rule->ttl); /* should the store never be told */
}

uint64_t channel_log_due_ms(struct shard *shard, struct channel_log *log)
{
    uint64_t due_ms = UINT64_MAX, wall_ms = day_ms(shard);
    if (log->window.count > 0) {
        uint64_t expires_ms = history_expires_ms(&log->window, log->rule->ttl, wall_ms);
        due_ms = shard->now_ms + (expires_ms > wall_ms ? expires_ms - wall_ms : 0);
    }
    if (may_save_loss(log) && log->save_at_ms < due_ms) due_ms = log->save_at_ms;
    if (may_go(log) && log->used_ms + idle_ms(log) < due_ms) due_ms = log->used_ms + idle_ms(log);
    return due_ms;
}

/* So that a restart does not forget it. A log that was never read is read first. */
static void save_loss(struct shard *shard, struct channel_log *log)
{
    log->save_at_ms = shard->now_ms + SAVE_AGAIN_MS; /* if this fails, now or later */
    if (log->state == LOG_UNREAD) {
        log_ask_window(shard, log);
    } else {
        log_ask_loss(shard, log);
    }
}

bool channel_log_run(struct shard *shard, struct channel_log *log)
{
    trim(shard, log);
    if (may_save_loss(log) && shard->now_ms >= log->save_at_ms) save_loss(shard, log);
    if (!may_go(log) || shard->now_ms < log->used_ms + idle_ms(log)) return true;
    log_free(shard, log);
    return false;
}

bool channel_log_left(struct shard *shard, struct channel_log *log)
{
    log->used_ms = shard->now_ms;
    if (!channel_log_run(shard, log)) return false;
    log_bound(shard, log); /* others may go now that had to stay */
    return true;
}

/* ---- the end ---- */

void channel_log_free(struct shard *shard, struct channel_log *log)
{
    while (log->waiting != NULL) {
        struct log_wait *wait = log->waiting;
        log->waiting = wait->next;
        join_free(&shard->counters, wait->join);
        if (wait->message != NULL) {
            log_count_waiting(shard, wait->message, false);
            message_drop(&shard->counters, wait->message);
        }
        query_free(&shard->counters, wait->query);
        free(wait);
    }
    log_free(shard, log);
}
