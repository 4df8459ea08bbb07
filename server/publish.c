/* server/publish.c - from a published message to letters: home, order, interest. The last step, from a channel to
 * its subscribers' outboxes, is server/fan_out.c. */
#include "server/publish.h"

#include "core/message.h"
#include "server/fan_out.h"
#include "server/log.h"
#include "server/post.h"
#include "server/shard.h"

/* ---- subscribing ---- */

/* Sends the home a letter that only names the channel. */
static enum rc tell_home(struct shard *shard, const struct channel *channel, enum letter_kind kind)
{
    struct message *message = message_new(&shard->counters, &channel->name, 0);
    if (message == NULL) return RC_ENOMEM;
    post_send(shard, channel->home, kind, message, channel->join_serial);
    return RC_OK;
}

static void drop_if_unused(struct shard *shard, struct channel *channel)
{
    if (hub_drop_if_unused(&shard->hub, channel)) counter_subtract(&shard->counters, COUNTER_channels, 1);
}

static struct channel *make_channel(struct shard *shard, const struct name *name)
{
    uint32_t count = shard->hub.count;
    struct channel *channel = hub_make(&shard->hub, name);
    counter_add(&shard->counters, COUNTER_channels, shard->hub.count - count);
    return channel;
}

enum rc publish_subscribe(struct shard *shard, const struct name *name, struct connection *connection)
{
    struct channel *channel = make_channel(shard, name);
    if (channel == NULL) return RC_ENOMEM;
    /* What arrived before this subscription is not for it. */
    fan_out_settle(shard, channel);
    struct subscription *subscription = pool_take(&shard->subscriptions);
    if (subscription == NULL) goto refuse;
    if (channel_subscribe(channel, subscription, shard_slot(shard, connection)) != RC_OK) goto give_back;
    bool is_first = channel->count == 1;
    if (is_first && channel->home != shard->index) {
        channel->join_serial = ++shard->join_serial;
        if (tell_home(shard, channel, LETTER_SUBSCRIBE) != RC_OK) {
            channel_unsubscribe(channel, subscription);
            goto give_back;
        }
    }
    connection->subscription = subscription;
    counter_add(&shard->counters, COUNTER_subscriptions, 1);
    return channel->is_joined ? RC_OK : RC_PENDING;
give_back:
    pool_give(&shard->subscriptions, subscription);
refuse:
    drop_if_unused(shard, channel);
    return RC_ENOMEM;
}

void publish_unsubscribe(struct shard *shard, struct connection *connection)
{
    struct subscription *subscription = connection->subscription;
    if (subscription == NULL) return;
    struct channel *channel = subscription->channel;
    fan_out_settle(shard, channel);
    channel_unsubscribe(channel, subscription);
    pool_give(&shard->subscriptions, subscription);
    connection->subscription = NULL;
    counter_subtract(&shard->counters, COUNTER_subscriptions, 1);
    if (channel->count > 0) return;
    if (channel->home != shard->index && tell_home(shard, channel, LETTER_UNSUBSCRIBE) != RC_OK) {
        /* The home goes on delivering to a channel that is not here, where letters are dropped: costly, not wrong. */
        log_warn("out of memory: a channel's home was not told that this shard has left it");
    }
    drop_if_unused(shard, channel);
}

void publish_take_subscribe(struct shard *shard, uint32_t from, struct message *message, uint32_t serial)
{
    struct channel *channel = make_channel(shard, &message->channel);
    if (channel == NULL) {
        log_error("out of memory: a channel could not be made at its home; its subscribers on shard %u wait", from);
        message_drop(&shard->counters, message);
        return;
    }
    channel_set_interested(channel, from, true);
    post_send(shard, from, LETTER_SUBSCRIBED, message, serial);
}

void publish_take_unsubscribe(struct shard *shard, uint32_t from, struct message *message)
{
    struct channel *channel = hub_find(&shard->hub, &message->channel);
    message_drop(&shard->counters, message);
    if (channel == NULL) return;
    channel_set_interested(channel, from, false);
    drop_if_unused(shard, channel);
}

void publish_take_subscribed(struct shard *shard, struct message *message, uint32_t serial)
{
    struct channel *channel = hub_find(&shard->hub, &message->channel);
    /* All who waited may have left, and others come and asked again: then a later answer counts. */
    if (channel != NULL && !channel->is_joined && channel->join_serial == serial) {
        channel->is_joined = true;
        /* Opening may end a connection at once, which takes it out and moves the last into its place: hence from the
         * back. With the last of all the channel goes, so it is looked up again. */
        for (uint32_t i = channel->count; channel != NULL && i > 0; i--) {
            struct connection *connection = &shard->connections[channel->slots[i - 1]];
            if (connection->state == CONNECTION_JOINING) connection_open(shard, connection);
            channel = hub_find(&shard->hub, &message->channel);
        }
    }
    message_drop(&shard->counters, message);
}

/* ---- publishing ---- */

enum rc publish(struct shard *shard, struct message *message)
{
    uint32_t home = hub_home(&shard->hub, &message->channel);
    if (home == shard->index) return publish_in_order(shard, message);
    return post_send(shard, home, LETTER_PUBLISH, message, 0);
}

enum rc publish_in_order(struct shard *shard, struct message *message)
{
    enum rc rc = RC_OK;
    counter_add(&shard->counters, COUNTER_messages_published, 1);
    struct channel *channel = hub_find(&shard->hub, &message->channel);
    if (channel != NULL && channel->interested_count > 0) {
        message_hold(message, channel->interested_count);
        uint32_t to = channel_next_interested(channel, 0);
        for (; to < SHARDS_MAX; to = channel_next_interested(channel, to + 1)) {
            if (post_send(shard, to, LETTER_DELIVER, message, 0) == RC_PENDING) rc = RC_PENDING;
        }
    }
    publish_deliver(shard, message);
    return rc;
}

void publish_deliver(struct shard *shard, struct message *message)
{
    struct channel *channel = hub_find(&shard->hub, &message->channel);
    /* Nobody is left; or those who are asked the home anew, and what it sent before its answer is not for them. */
    if (channel == NULL || channel->count == 0 || !channel->is_joined) {
        message_drop(&shard->counters, message);
        return;
    }
    fan_out_later(shard, channel, message);
}
