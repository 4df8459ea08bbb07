/* server/home/home_publish.c - what becomes of a message at its channel's home. */
#include "server/home/home_publish.h"

#include "core/channel.h"
#include "core/message.h"
#include "core/query.h"
#include "core/receipts.h"
#include "core/roster.h"
#include "net/frame.h"
#include "server/channel/fan_out.h"
#include "server/component/pusher.h"
#include "server/config/app.h"
#include "server/config/history_rule.h"
#include "server/home/channel_log.h"
#include "server/home/home.h"
#include "server/home/home_event.h"
#include "server/home/home_query.h"
#include "server/protocol/event.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#define INVITATIONS_MAX 20 /* to one guest, within: */
#define INVITATIONS_MS  10000

/* ---- the last event of cache channels ---- */

static uint64_t kept_bytes(const struct message *message)
{
    return sizeof(struct channel) + sizeof(struct roster) + sizeof *message + message->channel.length +
           message->frame_bytes[FORM_EVENT];
}

void home_forget_kept(struct shard *shard, struct roster *roster)
{
    if (roster->kept == NULL) return;
    TAILQ_REMOVE(&shard->kept, roster, kept_entry);
    counter_subtract(&shard->counters, COUNTER_cache_bytes, kept_bytes(roster->kept));
    message_drop(&shard->counters, roster->kept);
    roster->kept = NULL;
}

/* Makes room for the newest by forgetting the oldest. */
static void bound_kept(struct shard *shard, const struct roster *newest)
{
    struct roster *oldest;
    while (counter_get(&shard->counters, COUNTER_cache_bytes) > shard->options->cache_bytes_max &&
           (oldest = TAILQ_FIRST(&shard->kept)) != newest) {
        log_warn("cache_bytes_max reached: the oldest cached events are forgotten");
        counter_add(&shard->counters, COUNTER_cache_evictions, 1);
        home_forget_kept(shard, oldest);
        home_set_timer(shard, oldest);
        home_drop_if_unused(shard, oldest->channel);
    }
}

/* Keeps the event for whoever comes later. */
static void keep_last(struct shard *shard, struct channel *channel, struct message *message)
{
    struct roster *roster = channel->roster;
    home_forget_kept(shard, roster);
    message_hold(message, 1);
    roster->kept = message;
    TAILQ_INSERT_TAIL(&shard->kept, roster, kept_entry);
    counter_add(&shard->counters, COUNTER_cache_bytes, kept_bytes(message));
    roster->kept_until_ms = shard->now_ms + shard_app(shard, message->channel.app)->cache_ms;
    roster->is_miss_told = false;
    home_set_timer(shard, roster);
    bound_kept(shard, roster);
}

/* ---- delivering ---- */

static enum rc hand_out(struct shard *shard, struct channel *channel, struct message *message)
{
    enum rc rc = RC_OK;
    const struct roster *roster = channel->roster;
    for (uint32_t i = 0; i < roster->interests_count; i++) {
        const struct interest *interest = &roster->interests[i];
        if (interest->shard == shard->index || !interest_wants(interest, message)) continue;
        message_hold(message, 1);
        if (post_send(shard, interest->shard, LETTER_DELIVER, message) == RC_PENDING) rc = RC_PENDING;
    }
    if (channel_wants(channel, message)) {
        fan_out_later(shard, channel, message);
    } else {
        message_drop(&shard->counters, message);
    }
    return rc;
}

static void note_published(struct shard *shard, const struct message *message)
{
    uint32_t bytes = 0; /* of all forms; none: query_new_behind() */
    for (enum form form = 0; form < FORMS_MAX; form++) {
        bytes += message->frame_bytes[form];
    }
    if (bytes > 0) counter_add(&shard->counters, COUNTER_messages_published, 1);
    if (message->origin == ORIGIN_CLIENT) home_tell_client_event(shard, message);
}

enum rc home_deliver(struct shard *shard, struct channel *channel, struct message *message)
{
    note_published(shard, message);
    if (message->is_kept) keep_last(shard, channel, message);
    bool is_raw = message_has(message, FORM_RAW) && !message_has(message, FORM_EVENT);
    if (is_raw && channel->roster->counts[FORM_EVENT] > 0) message = event_of_raw(&shard->counters, message);
    return hand_out(shard, channel, message);
}

/* ---- publishing ---- */

struct receipts *home_receipts(struct shard *shard)
{
    if (shard->receipts == NULL) shard->receipts = receipts_new(shard->options->repeat_keys_max);
    return shard->receipts;
}

void home_count_keys(struct shard *shard)
{
    uint64_t counted = counter_get(&shard->counters, COUNTER_repeat_keys);
    uint64_t count = shard->receipts != NULL ? receipts_count(shard->receipts) : 0;
    counter_add(&shard->counters, COUNTER_repeat_keys, count - counted);
}

static void answer(struct shard *shard, struct query *query, enum rc rc, const struct position *position)
{
    query->facts.position = *position;
    query_published(shard, query, rc);
}

void home_answer_publish(struct shard *shard, struct query *query, struct receipt *receipt, enum rc rc,
                         const struct position *position)
{
    struct query *waiting = NULL;
    if (receipt != NULL) { /* closed first: whoever is answered may publish at once, and receipts come and go */
        waiting = receipt->waiting;
        receipt->waiting = NULL;
        if (rc == RC_OK) {
            receipt_close(receipt, position);
        } else {
            receipts_forget(shard->receipts, receipt);
        }
        home_count_keys(shard);
    }
    if (query != NULL) answer(shard, query, rc, position);
    while (waiting != NULL) {
        struct query *next = waiting->next;
        answer(shard, waiting, rc, position);
        waiting = next;
    }
}

/* Was it published before, with the same key? Then the query is answered, now or with the first. Otherwise *receipt_r
 * is its own, or NULL if it has no key or no keys are remembered. RC_OK: it is new. */
static enum rc look_for_repeat(struct shard *shard, const struct message *message, struct query *query,
                               struct receipt **receipt_r)
{
    *receipt_r = NULL;
    if (query == NULL || query->key[0] == '\0' || shard->options->repeat_keys_max == 0) return RC_OK;
    struct text key = text_of(query->key);
    struct receipts *receipts = home_receipts(shard);
    if (receipts == NULL) return RC_ENOMEM;
    struct receipt *receipt = receipts_find(receipts, &message->channel, key, shard->now_ms);
    if (receipt == NULL) {
        *receipt_r = receipts_open(receipts, &message->channel, key, shard->now_ms);
        home_count_keys(shard);
        return *receipt_r != NULL ? RC_OK : RC_EFULL;
    }
    counter_add(&shard->counters, COUNTER_repeats, 1);
    if (receipt->is_open) {
        query->next = receipt->waiting;
        receipt->waiting = query;
    } else {
        answer(shard, query, RC_OK, &receipt->position);
    }
    return RC_PENDING;
}

/* As it stands in the frame, escaped, without its quotes. */
static struct text event_name(const struct message *message)
{
    struct text quoted = message_part_text(message, message->event_name);
    return text_between(quoted.at + 1, quoted.at + quoted.count - 1);
}

/* Does the channel's history keep messages of this kind? */
static bool is_for_log(const struct history_rule *rule, const struct message *message)
{
    switch (message->origin) {
    case ORIGIN_SERVER:
    case ORIGIN_GUEST:
        return false;
    case ORIGIN_BACKEND:
        return true;
    case ORIGIN_ROOM: /* binary messages are no events */
        return (message_frame(message, FORM_RAW)[0] & 0x0f) == FRAME_TEXT;
    case ORIGIN_CLIENT:
        return history_rule_keeps(rule, event_name(message));
    }
    __builtin_unreachable();
}

enum rc home_pass_on(struct shard *shard, struct channel *channel, struct message *message, struct query *query,
                     struct receipt *receipt)
{
    static const struct position nowhere;
    enum rc rc = RC_OK;
    if (channel == NULL && message->is_kept) channel = shard_make_channel(shard, &message->channel);
    if (channel != NULL) {
        rc = home_deliver(shard, channel, message);
    } else {
        note_published(shard, message);
        message_drop(&shard->counters, message);
    }
    home_answer_publish(shard, query, receipt, RC_OK, &nowhere);
    return rc;
}

/* NULL: none is in use. */
static struct channel_log *log_of(const struct channel *channel)
{
    return channel != NULL ? channel->roster->log : NULL;
}

/* The same behind what its channel still keeps. */
static enum rc pass_in_turn(struct shard *shard, struct channel *channel, struct message *message,
                            struct query *query, struct receipt *receipt)
{
    struct channel_log *log = log_of(channel);
    if (log != NULL && channel_log_pass_behind(shard, log, message, query, receipt)) return RC_OK;
    return home_pass_on(shard, channel, message, query, receipt);
}

/* What is not to be kept waits for the log too, should others wait there. */
static bool waits_for_log(struct shard *shard, const struct channel *channel, struct message *message,
                          struct query *query)
{
    struct channel_log *log = log_of(channel);
    return log != NULL && log->state == LOG_READING && channel_log_wait(shard, log, NULL, message, query) == RC_OK;
}

/* Counts an invitation; true: it is one too many for this guest, who still finds the channel in its list. It is counted
 * where the guest is known: nobody else's invitations make that forgotten. */
static bool is_invited_too_often(const struct shard *shard, struct channel *channel)
{
    if (channel == NULL) return false; /* it is not signed in: nobody hears */
    struct roster *roster = channel->roster;
    if (shard->now_ms >= roster->invited_ms + INVITATIONS_MS) {
        roster->invited_ms = shard->now_ms;
        roster->invited = 0;
    }
    return ++roster->invited > INVITATIONS_MAX;
}

enum rc home_publish(struct shard *shard, struct message *message, struct query *query)
{
    struct channel *channel = hub_find(&shard->hub, &message->channel);
    if (message->origin == ORIGIN_GUEST && is_invited_too_often(shard, channel)) {
        counter_add(&shard->counters, COUNTER_invitations_dropped, 1);
        message_drop(&shard->counters, message);
        return RC_OK;
    }
    const struct history_rule *rule =
        channel != NULL ? channel->roster->rule : channel_log_rule(shard, &message->channel);
    struct channel_log *log = NULL;
    struct receipt *receipt = NULL;
    enum rc rc = RC_OK;
    bool is_for_history = rule != NULL && is_for_log(rule, message);
    if (is_for_history) {
        if (channel == NULL) channel = shard_make_channel(shard, &message->channel);
        rc = channel != NULL ? channel_log_open(shard, channel->roster, &log) : RC_ENOMEM;
        if (rc == RC_PENDING) rc = channel_log_wait(shard, log, NULL, message, query);
        if (rc == RC_OK && log->state == LOG_READING) return RC_OK; /* it waits there */
    } else if (waits_for_log(shard, channel, message, query)) {
        return RC_OK;
    }
    if (rc == RC_OK) rc = look_for_repeat(shard, message, query, &receipt);
    if (rc == RC_PENDING) {
        message_drop(&shard->counters, message);
        return RC_OK;
    }
    if (rc != RC_OK) {
        if (log == NULL && channel != NULL) home_drop_if_unused(shard, channel); /* made for the log's sake */
        channel_log_refuse(shard, log, rc, message, query, NULL);
        return RC_OK;
    }
    return is_for_history ? channel_log_keep(shard, log, message, query, receipt)
                          : pass_in_turn(shard, channel, message, query, receipt);
}

/* ---- closing ---- */

void home_terminate(struct shard *shard, struct message *message)
{
    struct channel *channel = hub_find(&shard->hub, &message->channel);
    const struct roster *roster = channel != NULL ? channel->roster : NULL;
    bool is_here = false;
    for (uint32_t i = 0; roster != NULL && i < roster->interests_count; i++) {
        const struct interest *interest = &roster->interests[i];
        if (interest->counts[FORM_EVENT] == 0) continue;
        if (interest->shard == shard->index) {
            is_here = true;
            continue;
        }
        message_hold(message, 1);
        post_send(shard, interest->shard, LETTER_TERMINATE, message);
    }
    if (is_here) pusher_terminate(shard, &message->channel); /* last: it changes the roster */
    message_drop(&shard->counters, message);
}
