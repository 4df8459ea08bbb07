/* server/home/home_publish.c - what becomes of a message at its channel's home. */
#include "server/home/home_publish.h"

#include "core/channel.h"
#include "core/letter.h"
#include "core/message.h"
#include "core/query.h"
#include "core/receipts.h"
#include "core/roster.h"
#include "net/frame.h"
#include "server/config/history_rule.h"
#include "server/home/broker_publish.h"
#include "server/home/channel_log.h"
#include "server/home/channel_log_store.h"
#include "server/home/home_answer.h"
#include "server/home/home_deliver.h"
#include "server/home/home_follow.h"
#include "server/home/home_roster.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>

#define INVITATIONS_MAX 20 /* to one guest, within: */
#define INVITATIONS_MS  10000

/* Was the message published before, with the same key? Then the query is answered, now or with the first. Otherwise
 * *receipt_r is its own, or NULL if it has no key or no keys are remembered. RC_OK: it is new. */
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
        query->facts.position = receipt->position;
        home_query_published(shard, query, RC_OK);
    }
    return RC_PENDING;
}

/* The event's name as it stands in the frame, escaped, without its quotes. */
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

/* NULL: none is in use. */
static struct channel_log *log_of(const struct channel *channel)
{
    return channel != NULL ? channel->roster->log : NULL;
}

/* What home_pass_on() does, behind what the channel still keeps. */
static enum rc pass_in_turn(struct shard *shard, struct channel *channel, struct message *message,
                            struct query *query, struct receipt *receipt)
{
    struct channel_log *log = log_of(channel);
    if (log != NULL && channel_log_pass_behind(shard, log, message, query, receipt)) return RC_OK;
    return home_pass_on(shard, channel, message, query, receipt);
}

/* Waits as the letter that it came with. Takes over both, unless it fails. */
static enum rc wait_for_log(struct shard *shard, struct channel_log *log, struct message *message,
                            struct query *query)
{
    if (query == NULL) {
        return channel_log_wait(shard, log, &(struct letter){.message = message, .kind = LETTER_PUBLISH});
    }
    query->message = message;
    enum rc rc = channel_log_wait(shard, log, &(struct letter){.query = query, .kind = LETTER_ASK});
    if (rc != RC_OK) query->message = NULL;
    return rc;
}

/* What is not to be kept waits for the log too, should others wait there. */
static bool waits_for_log(struct shard *shard, const struct channel *channel, struct message *message,
                          struct query *query)
{
    struct channel_log *log = log_of(channel);
    return log != NULL && log->state == LOG_READING && wait_for_log(shard, log, message, query) == RC_OK;
}

/* It is counted where the guest is known: nobody else's invitations make that forgotten. */
bool home_is_too_much(struct shard *shard, struct channel *channel, const struct message *message)
{
    assert(owner_is_me(&shard->owner));
    if (message->origin != ORIGIN_GUEST || channel == NULL) return false;
    struct roster *roster = channel->roster;
    if (shard->now_ms >= roster->invited_ms + INVITATIONS_MS) {
        roster->invited_ms = shard->now_ms;
        roster->invited = 0;
    }
    if (++roster->invited <= INVITATIONS_MAX) return false;
    counter_add(&shard->counters, COUNTER_invitations_dropped, 1);
    return true;
}

/* Where there are other nodes, which take part in the order. */
static enum rc publish_to_cluster(struct shard *shard, struct message *message, struct query *query)
{
    const struct history_rule *rule = shard_rule(shard, &message->channel);
    bool is_for_history = rule != NULL && is_for_log(rule, message);
    return broker_publish(shard, message, query, is_for_history ? rule : NULL);
}

enum rc home_publish(struct shard *shard, struct message *message, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    assert(hub_home(&shard->hub, &message->channel) == shard->index);
    struct channel *channel = hub_find(&shard->hub, &message->channel);
    home_follow_published(shard, message);
    if (shard->cluster != NULL) return publish_to_cluster(shard, message, query);
    if (home_is_too_much(shard, channel, message)) {
        message_drop(&shard->counters, message);
        return RC_OK;
    }
    const struct history_rule *rule = channel != NULL ? channel->roster->rule : shard_rule(shard, &message->channel);
    struct channel_log *log = NULL;
    struct receipt *receipt = NULL;
    enum rc rc = RC_OK;
    bool is_for_history = rule != NULL && is_for_log(rule, message);
    if (is_for_history) {
        if (channel == NULL) channel = shard_make_channel(shard, &message->channel);
        rc = channel != NULL ? channel_log_open(shard, channel->roster, &log) : RC_ENOMEM;
        if (rc == RC_PENDING) rc = wait_for_log(shard, log, message, query);
        if (rc == RC_OK && log->state == LOG_READING) return RC_OK; /* it waits there */
    } else if (waits_for_log(shard, channel, message, query)) {
        return RC_OK;
    }
    if (rc == RC_OK) rc = look_for_repeat(shard, message, query, &receipt);
    if (rc != RC_OK) home_follow_refused(shard, message, rc);
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
