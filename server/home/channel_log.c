/* server/home/channel_log.c - the life of logs: from the first who wants something of one until nobody does. */
#include "server/home/channel_log.h"

#include "core/letter.h"
#include "core/message.h"
#include "core/roster.h"
#include "server/config/history_rule.h"
#include "server/home/channel_log_bound.h"
#include "server/home/channel_log_store.h"
#include "server/home/home_roster.h"
#include "server/shard/exchange.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"
#include "server/store/store_job.h"

#include <assert.h>
#include <stdlib.h>

#define SAVE_AGAIN_MS 1000 /* until the store is told once more of a loss that it could not note */

/* ---- life ---- */

static struct channel_log *log_new(struct shard *shard, struct roster *roster)
{
    const struct history_rule *rule = roster->rule;
    struct channel_log *log = malloc(sizeof *log);
    if (log == NULL) return NULL;
    bool is_of_cluster = shard->cluster != NULL, is_unseen = !is_of_cluster && !channel_log_is_seen(shard, roster);
    *log = (struct channel_log){
        .roster = roster,
        .rule = rule,
        .state = rule->durable && !is_unseen ? LOG_UNREAD : LOG_READY,
        .is_end = rule->durable || is_of_cluster,
        .is_unseen = is_unseen,
        .used_ms = shard->now_ms,
    };
    log->waiting_end = &log->waiting;
    if (is_unseen) {
        channel_log_choose_epoch_unseen(shard, &roster->channel->name, log->window.last.epoch);
    } else if (!rule->durable && !is_of_cluster) {
        channel_log_choose_epoch(log->window.last.epoch);
    }
    channel_log_begin(shard, log);
    return log;
}

enum rc channel_log_open(struct shard *shard, struct roster *roster, struct channel_log **log_r)
{
    assert(owner_is_me(&shard->owner));
    *log_r = roster->log;
    if (roster->log == NULL) {
        if (roster->rule == NULL) return RC_ENOENT;
        roster->log = log_new(shard, roster);
        if (roster->log == NULL) return RC_ENOMEM;
        channel_log_set_timer(shard, roster->log); /* whatever becomes of what it was made for */
        channel_log_bound(shard, roster->log);
    }
    struct channel_log *log = *log_r = roster->log;
    channel_log_touch(shard, log);
    if (log->state == LOG_UNREAD) {
        enum rc rc = channel_log_ask_window(shard, log);
        if (rc != RC_OK) return rc;
    }
    if (log->state == LOG_READING) return RC_PENDING;
    return log->state == LOG_READY ? RC_OK : RC_ESTORE;
}

/* ---- keeping ---- */

enum rc channel_log_keep(struct shard *shard, struct channel_log *log, struct message *message, struct query *query,
                         struct receipt *receipt)
{
    assert(owner_is_me(&shard->owner));
    assert(log->state == LOG_READY);
    channel_log_mark_seen(shard, log);
    struct message *placed = channel_log_place(shard, log, &message);
    if (placed == NULL) {
        channel_log_refuse(shard, log, RC_ENOMEM, message, query, receipt);
        return RC_OK;
    }
    log->given = placed->offset;
    log->given_ms = placed->time_ms;
    log->used_ms = shard->now_ms;
    if (log->rule->durable) {
        channel_log_ask_append(shard, log, message, placed, query, receipt);
        return post_deliveries_wait(shard) ? RC_PENDING : RC_OK; /* it cannot be heard how this one fares */
    }
    message_drop(&shard->counters, message);
    return channel_log_kept(shard, log, placed, query, receipt);
}

bool channel_log_is_whole(const struct channel_log *log, const struct position *from)
{
    const struct position *last = &log->window.last;
    return position_is_of(from, last->epoch) && from->offset >= log->whole_from && from->offset <= last->offset;
}

/* ---- reading the log ---- */

enum rc channel_log_wait(struct shard *shard, struct channel_log *log, const struct letter *letter)
{
    assert(owner_is_me(&shard->owner));
    const struct message *message = channel_log_message_of(letter);
    assert(log->state == LOG_READING);
    if (message != NULL && !channel_log_has_room(shard, message)) return RC_EFULL;
    struct log_wait *wait = malloc(sizeof *wait);
    if (wait == NULL) return RC_ENOMEM;
    if (message != NULL) channel_log_count_waiting(shard, message, true);
    *wait = (struct log_wait){.letter = *letter};
    *log->waiting_end = wait;
    log->waiting_end = &wait->next;
    return RC_OK;
}

/* ---- time ---- */

/* Has the store note a loss, so that a restart does not forget it. A log that was never read is read first. */
static void save_loss(struct shard *shard, struct channel_log *log)
{
    log->save_at_ms = shard->now_ms + SAVE_AGAIN_MS; /* if this fails, now or later */
    if (log->state == LOG_UNREAD) {
        channel_log_ask_window(shard, log);
    } else {
        channel_log_ask_loss(shard, log);
    }
}

bool channel_log_run(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    channel_log_trim(shard, log);
    if (channel_log_may_save_loss(log) && shard->now_ms >= log->save_at_ms) save_loss(shard, log);
    if (!channel_log_may_go(log) || shard->now_ms < log->used_ms + channel_log_idle_ms(log)) {
        channel_log_note_due(shard, log);
        return true;
    }
    channel_log_forget(shard, log);
    return false;
}

bool channel_log_left(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    log->used_ms = shard->now_ms;
    if (!channel_log_run(shard, log)) return false;
    channel_log_bound(shard, log); /* others may go now that had to stay */
    channel_log_note_due(shard, log);
    return true;
}

/* ---- the end ---- */

void channel_log_free(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    while (log->waiting != NULL) {
        struct log_wait *wait = log->waiting;
        log->waiting = wait->next;
        const struct message *message = channel_log_message_of(&wait->letter);
        if (message != NULL) channel_log_count_waiting(shard, message, false);
        exchange_drop(&shard->counters, &wait->letter);
        free(wait);
    }
    channel_log_forget(shard, log);
}
