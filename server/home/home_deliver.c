/* server/home/home_deliver.c - from a channel's home to the shards that have readers. */
#include "server/home/home_deliver.h"

#include "core/channel.h"
#include "core/message.h"
#include "core/roster.h"
#include "server/channel/fan_out.h"
#include "server/home/home_answer.h"
#include "server/home/home_follow.h"
#include "server/home/home_hook.h"
#include "server/home/home_kept.h"
#include "server/protocol/event.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>

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

/* Of all forms; none: query_new_behind(). */
static uint32_t bytes_of(const struct message *message)
{
    uint32_t bytes = 0;
    for (enum form form = 0; form < FORMS_MAX; form++) {
        bytes += message->frame_bytes[form];
    }
    return bytes;
}

/* `channel`: NULL if nobody uses it. */
static void note_ordered(struct shard *shard, struct channel *channel, const struct message *message, uint32_t bytes)
{
    home_follow_ordered(shard, channel, message);
    if (channel != NULL) traffic_count(&channel->roster->traffic, shard->now_ms, bytes);
}

static void note_published(struct shard *shard, struct channel *channel, const struct message *message)
{
    uint32_t bytes = bytes_of(message);
    if (bytes > 0) counter_add(&shard->counters, COUNTER_messages_published, 1);
    if (bytes > 0) note_ordered(shard, channel, message, bytes);
    if (message->origin == ORIGIN_CLIENT) home_tell_client_event(shard, message);
}

static enum rc deliver(struct shard *shard, struct channel *channel, struct message *message)
{
    if (message->is_kept) home_keep_last(shard, channel, message);
    bool is_raw = message_has(message, FORM_RAW) && !message_has(message, FORM_EVENT);
    if (is_raw && channel->roster->counts[FORM_EVENT] > 0) message = event_of_raw(&shard->counters, message);
    return hand_out(shard, channel, message);
}

enum rc home_deliver(struct shard *shard, struct channel *channel, struct message *message)
{
    assert(owner_is_me(&shard->owner));
    assert(channel->roster != NULL);
    note_published(shard, channel, message);
    return deliver(shard, channel, message);
}

enum rc home_deliver_placed(struct shard *shard, struct channel *channel, struct message *message)
{
    assert(owner_is_me(&shard->owner));
    assert(channel->roster != NULL);
    note_ordered(shard, channel, message, bytes_of(message));
    return deliver(shard, channel, message);
}

enum rc home_pass_on(struct shard *shard, struct channel *channel, struct message *message, struct query *query,
                     struct receipt *receipt)
{
    assert(owner_is_me(&shard->owner));
    assert(channel == NULL || channel->roster != NULL);
    static const struct position nowhere;
    enum rc rc = RC_OK;
    if (channel == NULL && message->is_kept) channel = shard_make_channel(shard, &message->channel);
    if (channel != NULL) {
        rc = home_deliver(shard, channel, message);
    } else {
        note_published(shard, NULL, message);
        message_drop(&shard->counters, message);
    }
    home_answer_publish(shard, query, receipt, RC_OK, &nowhere);
    return rc;
}

void home_terminate(struct shard *shard, struct message *message)
{
    assert(owner_is_me(&shard->owner));
    assert(hub_home(&shard->hub, &message->channel) == shard->index);
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
    if (is_here) {
        post_send(shard, shard->index, LETTER_TERMINATE, message); /* last: it changes the roster */
    } else {
        message_drop(&shard->counters, message);
    }
}
