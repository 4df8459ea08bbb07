/* server/channel/subscribe.c - asking homes, and what their answers make of a subscription.
 *
 * Not obvious: a subscription may be taken back, or its connection end, while the answer is on its way. It is then
 * simply forgotten here, and an answer that finds nobody goes back to the home as UNSUBSCRIBE. */
#include "server/channel/subscribe.h"

#include "core/batch.h"
#include "core/channel.h"
#include "core/message.h"
#include "core/trace.h"
#include "server/channel/fan_out.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/connection/long_answer.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>

/* ---- a connection's list ---- */

struct subscription *subscription_find(const struct connection *connection, const struct name *channel,
                                       enum form form)
{
    struct subscription *subscription = connection->subscriptions;
    while (subscription != NULL &&
           !(subscription->form == form && name_equals(&subscription->channel->name, channel))) {
        subscription = subscription->next;
    }
    return subscription;
}

static struct subscription *find_pending(const struct connection *connection, uint32_t serial)
{
    struct subscription *subscription = connection->subscriptions;
    while (subscription != NULL && !(subscription->is_pending && subscription->serial == serial)) {
        subscription = subscription->next;
    }
    return subscription;
}

static void unlink_subscription(struct connection *connection, struct subscription *subscription)
{
    struct subscription **place = &connection->subscriptions;
    while (*place != subscription) {
        place = &(*place)->next;
    }
    *place = subscription->next;
}

/* ---- asking ---- */

enum rc subscribe(struct shard *shard, struct connection *connection, const struct join_wish *wish)
{
    assert(owner_is_me(&shard->owner));
    struct join *join = join_new(wish);
    struct subscription *subscription = pool_take(&shard->channel.subscriptions);
    struct channel *channel = shard_make_channel(shard, &wish->channel);
    if (join == NULL || subscription == NULL || channel == NULL) {
        join_free(&shard->counters, join);
        if (subscription != NULL) pool_give(&shard->channel.subscriptions, subscription);
        if (channel != NULL) shard_drop_channel_if_unused(shard, channel);
        return RC_ENOMEM;
    }
    *subscription = (struct subscription){
        .channel = channel,
        .next = connection->subscriptions,
        .slot = shard_slot(shard, connection),
        .serial = ++shard->channel.serial,
        .form = wish->form,
        .is_pending = true,
    };
    connection->subscriptions = subscription;
    channel->pending++;
    counter_add(&shard->counters, COUNTER_subscriptions, 1);
    join->slot = subscription->slot;
    join->life = connection->life;
    join->serial = subscription->serial;
    if (join_may_be_long(join)) long_answer_asked(shard, connection);
    return post_send(shard, channel->home, LETTER_SUBSCRIBE, join);
}

/* ---- leaving ---- */

/* Forgets the subscription, which stands in no audience. */
static void forget(struct shard *shard, struct connection *connection, struct subscription *subscription,
                   struct channel *channel)
{
    unlink_subscription(connection, subscription);
    pool_give(&shard->channel.subscriptions, subscription);
    counter_subtract(&shard->counters, COUNTER_subscriptions, 1);
    shard_drop_channel_if_unused(shard, channel);
}

void unsubscribe(struct shard *shard, struct connection *connection, struct subscription *subscription)
{
    assert(owner_is_me(&shard->owner));
    assert(subscription->channel != NULL && shard->connections + subscription->slot == connection);
    struct channel *channel = subscription->channel;
    uint32_t home = channel->home;
    if (subscription->is_pending) {
        channel->pending--;
        forget(shard, connection, subscription, channel);
        return;
    }
    struct join *join = subscription->join;
    struct roster *roster = channel->roster_at_home;
    enum form form = subscription->form;
    /* The connection's own last words may be among what arrived; a member's are not, for it does not hear itself. */
    if (join == NULL) fan_out_settle(shard, channel);
    channel_unsubscribe(channel, subscription);
    forget(shard, connection, subscription, channel);
    if (join != NULL) {
        post_send(shard, home, LETTER_UNSUBSCRIBE, join); /* by the join that it had answered */
    } else {
        post_leave(shard, home, roster, form);
    }
}

void unsubscribe_all(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    while (connection->subscriptions != NULL) {
        unsubscribe(shard, connection, connection->subscriptions);
    }
}

/* ---- answers ---- */

/* Nobody is left who asked. */
static void send_back(struct shard *shard, struct join *join)
{
    if (join->rc != RC_OK) {
        join_free(&shard->counters, join);
        return;
    }
    if (join->greeting != NULL) message_drop(&shard->counters, join->greeting);
    join->greeting = NULL;
    post_send(shard, hub_home(&shard->hub, &join->channel), LETTER_UNSUBSCRIBE, join);
}

static void refused(struct shard *shard, struct connection *connection, struct subscription *subscription,
                    const struct join *join)
{
    assert(join->rc != RC_OK);
    forget(shard, connection, subscription, subscription->channel);
    connection->component->on_refused(shard, connection, join);
}

/* May end the connection, and all its subscriptions with it. */
static void greet(struct shard *shard, struct connection *connection, struct join *join)
{
    if (join->greeting == NULL) return;
    struct batch *batch = batch_of_message(join->greeting, join->form, shard->now_ms);
    if (batch != NULL) join->greeting = NULL; /* the batch has its reference now */
    connection_say_long(shard, connection, batch);
}

static void accepted(struct shard *shard, struct connection *connection, struct subscription *subscription,
                     struct join *join)
{
    assert(!subscription->is_pending && join->rc == RC_OK);
    struct channel *channel = subscription->channel;
    fan_out_settle(shard, channel); /* what arrived before this subscription is not for it */
    if (channel_subscribe(channel, subscription) != RC_OK) {
        join->rc = RC_ENOMEM;
        refused(shard, connection, subscription, join);
        join->rc = RC_OK; /* for the home, which counts it */
        send_back(shard, join);
        return;
    }
    channel->roster_at_home = join->roster;
    bool is_member = join->user_id.at != NULL;
    if (is_member) subscription->join = join; /* the subscription's from here on: gone when it is gone */
    greet(shard, connection, join);
    if (connection->component != NULL) connection->component->on_subscribed(shard, connection, join);
    if (!is_member) join_free(&shard->counters, join);
}

static void take_answer(struct shard *shard, struct connection *connection, struct join *join)
{
    struct subscription *subscription =
        connection->life == join->life ? find_pending(connection, join->serial) : NULL;
    if (subscription == NULL) {
        send_back(shard, join);
        return;
    }
    subscription->is_pending = false;
    subscription->channel->pending--;
    if (join->rc == RC_OK) {
        accepted(shard, connection, subscription, join);
    } else {
        refused(shard, connection, subscription, join);
        join_free(&shard->counters, join);
    }
}

void subscribe_answered(struct shard *shard, struct join *join)
{
    assert(owner_is_me(&shard->owner));
    assert(join->slot < shard->slots_used);
    struct connection *connection = &shard->connections[join->slot];
    bool was_asking = connection->life == join->life && join_may_be_long(join);
    uint32_t life = connection->life;
    trace_hold(&shard->trace, join->slot);
    take_answer(shard, connection, join);
    if (was_asking && connection->life == life) long_answer_came(shard, connection);
    trace_let_go(&shard->trace);
}
