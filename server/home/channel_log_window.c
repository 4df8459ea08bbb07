/* server/home/channel_log_window.c - what is kept, what becomes of what is not, and what goes on when that is known. */
#include "server/home/channel_log_window.h"

#include "core/channel.h"
#include "core/join.h"
#include "core/message.h"
#include "core/query.h"
#include "core/receipts.h"
#include "core/roster.h"
#include "server/config/history_rule.h"
#include "server/home/channel_log_bound.h"
#include "server/home/home_answer.h"
#include "server/home/home_deliver.h"
#include "server/home/home_hook.h"
#include "server/home/home_roster.h"
#include "server/protocol/event.h"
#include "server/shard/shard.h"
#include "server/store/store_job.h"
#include "server/system/random_word.h"

#include <assert.h>
#include <stdlib.h>

#define DURABLE_MESSAGES_MAX 1000             /* of a channel that stay in memory, when the rest is elsewhere */
#define DURABLE_IDLE_MS      (60 * 1000)      /* then a durable channel without subscribers is left to the store */
#define LOOK_MS              (60 * 60 * 1000) /* so often at least: a clock that was set makes old what was not */

/* By which what is kept grows old. */
static uint64_t forget_ms(struct shard *shard)
{
    return day_clock_forget_ms(&shard->day_clock, shard->now_ms + shard->lost_ms);
}

/* ---- epochs ---- */

void channel_log_choose_epoch(char epoch[EPOCH_BYTES + 1])
{
    random_word(epoch, EPOCH_BYTES);
    epoch[EPOCH_BYTES] = '\0';
}

void channel_log_choose_epoch_unseen(const struct shard *shard, const struct name *channel,
                                     char epoch[EPOCH_BYTES + 1])
{
    assert(owner_is_me(&shard->owner));
    word_of_number(channel->hash ^ shard->home.epoch_key, epoch, EPOCH_BYTES);
    epoch[EPOCH_BYTES] = '\0';
}

/* ---- the window ---- */

struct history_bounds channel_log_bounds(const struct shard *shard, const struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    const struct history_rule *rule = log->rule;
    struct history_bounds bounds = {.messages = rule->size, .bytes = rule->bytes, .ttl_ms = rule->ttl};
    if (!log->is_end) return bounds;
    if (bounds.messages > DURABLE_MESSAGES_MAX) bounds.messages = DURABLE_MESSAGES_MAX;
    if (bounds.bytes > shard->options->replay_bytes_max) bounds.bytes = shard->options->replay_bytes_max;
    return bounds;
}

void channel_log_trim(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    struct history_bounds bounds = channel_log_bounds(shard, log);
    history_trim(&log->window, &shard->counters, &bounds, forget_ms(shard));
    channel_log_count(shard, log);
}

static void add(struct shard *shard, struct channel_log *log, struct message *placed)
{
    message_hold(placed, 1);
    if (history_append(&log->window, placed) != RC_OK) {
        message_drop(&shard->counters, placed);
        while (log->is_end && log->window.count > 0) { /* a page must not come from a window with a hole */
            history_forget_oldest(&log->window, &shard->counters);
        }
        history_skip(&log->window, placed->offset); /* readers get it; who resumes will be told that it is missing */
        counter_add(&shard->counters, COUNTER_history_unkept, 1);
    }
    channel_log_count(shard, log);
}

/* ---- time ---- */

bool channel_log_may_save_loss(const struct channel_log *log)
{
    return channel_log_knows_of_loss(log) && !log->is_saving && (log->state == LOG_READY || log->state == LOG_UNREAD);
}

bool channel_log_may_go(const struct channel_log *log)
{
    return roster_subscribers(log->roster) == 0 && log->jobs == 0 && log->waiting == NULL;
}

uint64_t channel_log_idle_ms(const struct channel_log *log)
{
    if (log->is_unseen) return 0;
    if (!log->rule->durable) return log->given > 0 ? log->rule->ttl : 0;
    if (!channel_log_knows_of_loss(log)) return DURABLE_IDLE_MS;
    return store_remembers_ms(log->rule->ttl); /* should the store never be told */
}

void channel_log_note_due(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    uint64_t due_ms = UINT64_MAX, wall_ms = forget_ms(shard);
    if (log->window.count > 0) {
        uint64_t expires_ms = history_expires_ms(&log->window, log->rule->ttl, wall_ms);
        uint64_t left_ms = expires_ms > wall_ms ? expires_ms - wall_ms : 0;
        due_ms = shard->now_ms + (left_ms < LOOK_MS ? left_ms : LOOK_MS);
    }
    if (channel_log_may_save_loss(log) && log->save_at_ms < due_ms) due_ms = log->save_at_ms;
    if (channel_log_may_go(log) && log->used_ms + channel_log_idle_ms(log) < due_ms)
        due_ms = log->used_ms + channel_log_idle_ms(log);
    log->roster->log_due_ms = due_ms;
}

void channel_log_set_timer(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    channel_log_note_due(shard, log);
    home_set_timer(shard, log->roster);
}

/* ---- keeping ---- */

void channel_log_mark_seen(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    if (!log->is_unseen) return;
    log->is_unseen = false;
    channel_log_note_seen(shard, &log->roster->channel->name);
}

struct message *channel_log_place(struct shard *shard, struct channel_log *log, struct message **message)
{
    assert(owner_is_me(&shard->owner));
    uint64_t time_ms = day_clock_ms(&shard->day_clock, shard->now_ms + shard->lost_ms);
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

/* Does the window grow old by this message? What stands before it is stamped with a time that is still to come. */
static bool grows_old_by(struct shard *shard, struct channel_log *log, const struct message *placed)
{
    if (log->window.count == 0) return false;
    return history_expires_ms(&log->window, log->rule->ttl, forget_ms(shard)) == placed->time_ms + log->rule->ttl;
}

enum rc channel_log_kept(struct shard *shard, struct channel_log *log, struct message *placed, struct query *query,
                         struct receipt *receipt)
{
    assert(owner_is_me(&shard->owner));
    bool was_empty = log->window.count == 0;
    add(shard, log, placed);
    channel_log_trim(shard, log);
    channel_log_touch(shard, log);
    struct position position = log->window.last;
    struct roster *roster = log->roster;
    channel_log_bound(shard, log);
    if (was_empty || grows_old_by(shard, log, placed)) channel_log_set_timer(shard, log);
    if (placed->origin == ORIGIN_ROOM) home_tell_room_message(shard, placed, &position);
    enum rc rc = home_deliver(shard, roster->channel, placed);
    home_answer_publish(shard, query, receipt, RC_OK, &position); /* last: who is answered may publish the next */
    return rc;
}

void channel_log_move(struct shard *shard, struct channel_log *log, const struct position *position)
{
    assert(owner_is_me(&shard->owner));
    assert(shard->cluster != NULL);
    while (log->window.count > 0) {
        history_forget_oldest(&log->window, &shard->counters);
    }
    log->window.last = *position;
    log->window.forgotten = log->given = position->offset;
    log->window.ahead = 0;
    channel_log_count(shard, log);
    channel_log_set_timer(shard, log);
}

void channel_log_take_placed(struct shard *shard, struct channel_log *log, struct message *placed, const char *epoch)
{
    assert(owner_is_me(&shard->owner));
    assert(placed->offset > 0);
    if (!position_is_of(&log->window.last, epoch)) {
        struct position before = {.offset = placed->offset - 1};
        memcpy(before.epoch, epoch, sizeof before.epoch);
        channel_log_move(shard, log, &before);
    }
    assert(placed->offset > log->window.last.offset);
    bool was_empty = log->window.count == 0;
    add(shard, log, placed);
    log->given = placed->offset;
    channel_log_trim(shard, log);
    channel_log_touch(shard, log);
    channel_log_bound(shard, log);
    if (was_empty || grows_old_by(shard, log, placed)) channel_log_set_timer(shard, log);
}

void channel_log_reach(struct channel_log *log, const struct position *position)
{
    struct position *last = &log->window.last;
    if (position_is_of(last, position->epoch) && position->offset > last->offset) last->offset = position->offset;
}

/* Of a channel for whose log there was no memory it must at least not seem that nothing was ever said. */
static void note_loss(struct shard *shard, const struct name *channel)
{
    if (shard_rule(shard, channel) != NULL) channel_log_note_seen(shard, channel);
}

void channel_log_send_unkept(struct shard *shard, struct channel_log *log, struct message *message)
{
    assert(owner_is_me(&shard->owner));
    counter_add(&shard->counters, COUNTER_history_unkept, 1);
    if (log != NULL) channel_log_mark_seen(shard, log);
    if (log == NULL) note_loss(shard, &message->channel);
    if (log != NULL && log->state == LOG_READY) {
        log->whole_from = log->window.last.offset + 1;
    } else if (log != NULL) {
        log->is_torn = true;
    }
    if (log != NULL) channel_log_set_timer(shard, log); /* which tells the store */
    struct channel *channel = hub_find(&shard->hub, &message->channel);
    if (channel != NULL) {
        home_deliver(shard, channel, message);
    } else {
        message_drop(&shard->counters, message);
    }
}

void channel_log_refuse_now(struct shard *shard, struct channel_log *log, enum rc rc, struct message *message,
                            struct query *query, struct receipt *receipt)
{
    assert(owner_is_me(&shard->owner));
    static const struct position nowhere;
    if (query == NULL) {
        channel_log_send_unkept(shard, log, message);
        return;
    }
    message_drop(&shard->counters, message);
    home_answer_publish(shard, query, receipt, rc, &nowhere);
}

/* ---- what was missed ---- */

struct message *channel_log_run_of(struct shard *shard, const struct name *channel, uint64_t since,
                                   struct message *const messages[], uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes += messages[i]->frame_bytes[FORM_EVENT];
    }
    struct message *run = message_new_of(&shard->counters, channel, FORM_EVENT, (uint32_t)bytes);
    if (run == NULL) return NULL;
    uint8_t *to = message_frame(run, FORM_EVENT);
    run->offset = since;
    for (uint32_t i = 0; i < count; i++) {
        to = message_put_frame(messages[i], FORM_EVENT, to);
        run->offset = messages[i]->offset;
    }
    return run;
}

/* ---- what waits ---- */

bool channel_log_has_room(const struct shard *shard, const struct message *message)
{
    assert(owner_is_me(&shard->owner));
    uint64_t bytes = counter_get(&shard->counters, COUNTER_store_bytes_waiting);
    uint64_t count = counter_get(&shard->counters, COUNTER_store_waiting);
    return count < shard->options->store_jobs_max &&
           bytes + history_message_bytes(message) <= shard->options->store_bytes_max;
}

void channel_log_count_waiting(struct shard *shard, const struct message *message, bool is_more)
{
    assert(owner_is_me(&shard->owner));
    uint64_t sign = is_more ? 1 : UINT64_MAX; /* -1 */
    counter_add(&shard->counters, COUNTER_store_waiting, sign);
    counter_add(&shard->counters, COUNTER_store_bytes_waiting, sign * history_message_bytes(message));
}

struct message *channel_log_message_of(const struct letter *letter)
{
    if (letter->kind == LETTER_PUBLISH) return letter->message;
    return letter->kind == LETTER_ASK ? letter->query->message : NULL;
}

/* ---- the store's answer ---- */

static void take_keys(struct shard *shard, const struct channel_log *log, const struct store_job *job)
{
    const struct name *channel = &log->roster->channel->name;
    uint64_t wall_ms = forget_ms(shard);
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

void channel_log_fill(struct shard *shard, struct channel_log *log, struct store_job *job)
{
    assert(owner_is_me(&shard->owner));
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
        channel_log_choose_epoch(window->last.epoch);
    }
    log->given = window->last.offset;
    log->given_ms = job->last_ms;
    log->whole_from = log->stored_whole_from = job->whole_from;
    if (log->is_torn) log->whole_from = window->last.offset + 1;
    log->is_torn = false;
    channel_log_bound(shard, log);
    channel_log_set_timer(shard, log);
}

void channel_log_take_again(struct shard *shard, const struct letter *letter)
{
    assert(owner_is_me(&shard->owner));
    bool is_join = letter->kind == LETTER_SUBSCRIBE;
    shard->take(shard, is_join ? letter->join->from : shard->index, letter);
}

void channel_log_go_on(struct shard *shard, struct channel_log *log, enum channel_log_state state)
{
    assert(owner_is_me(&shard->owner));
    log->state = state;
    log->jobs++; /* it stays until all have gone on */
    while (log->waiting != NULL) {
        struct log_wait *wait = log->waiting;
        log->waiting = wait->next;
        if (log->waiting == NULL) log->waiting_end = &log->waiting;
        struct message *message = channel_log_message_of(&wait->letter);
        if (message != NULL) channel_log_count_waiting(shard, message, false);
        channel_log_take_again(shard, &wait->letter);
        free(wait);
    }
    log->jobs--;
    if (log->state == LOG_FAILED) log->state = LOG_UNREAD; /* who comes next tries again */
    channel_log_set_timer(shard, log);
}
