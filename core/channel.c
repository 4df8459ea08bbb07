/* core/channel.c - subscribers of one channel on one shard, and the messages that wait for them. */
#include "core/channel.h"

#include "core/message.h"

#include <assert.h>
#include <stdlib.h>

#define ARRIVED_KEPT 1024 /* places for messages that a channel keeps from turn to turn */

static enum rc reserve_place(struct audience *audience)
{
    if (audience->count < audience->capacity) return RC_OK;
    uint32_t capacity = audience->capacity > 0 ? 2 * audience->capacity : 2;
    uint32_t *slots = realloc(audience->slots, capacity * sizeof *slots);
    if (slots == NULL) return RC_ENOMEM;
    audience->slots = slots;
    struct subscription **subscriptions = realloc(audience->subscriptions, capacity * sizeof(struct subscription *));
    if (subscriptions == NULL) return RC_ENOMEM;
    audience->subscriptions = subscriptions;
    audience->capacity = capacity;
    return RC_OK;
}

enum rc channel_subscribe(struct channel *channel, struct subscription *subscription)
{
    struct audience *audience = &channel->audiences[subscription->form];
    enum rc rc = reserve_place(audience);
    if (rc != RC_OK) return rc;
    assert(audience->count < audience->capacity);
    subscription->channel = channel;
    subscription->position = audience->count;
    audience->slots[audience->count] = subscription->slot;
    audience->subscriptions[audience->count] = subscription;
    audience->count++;
    return RC_OK;
}

void channel_unsubscribe(struct channel *channel, struct subscription *subscription)
{
    struct audience *audience = &channel->audiences[subscription->form];
    uint32_t position = subscription->position;
    assert(position < audience->count);
    assert(subscription->channel == channel && audience->subscriptions[position] == subscription);
    audience->count--;
    if (position != audience->count) {
        audience->slots[position] = audience->slots[audience->count];
        audience->subscriptions[position] = audience->subscriptions[audience->count];
        audience->subscriptions[position]->position = position;
    }
    subscription->channel = NULL;
}

uint32_t channel_count(const struct channel *channel)
{
    uint32_t count = 0;
    for (enum form form = 0; form < FORMS_MAX; form++) {
        count += channel->audiences[form].count;
    }
    return count;
}

bool channel_wants(const struct channel *channel, const struct message *message)
{
    for (enum form form = 0; form < FORMS_MAX; form++) {
        if (channel->audiences[form].count > 0 && message_has(message, form)) return true;
    }
    return false;
}

enum rc channel_arrive(struct channel *channel, struct message *message)
{
    assert(channel->arrived_count <= channel->arrived_capacity);
    if (channel->arrived_count == channel->arrived_capacity) {
        uint32_t capacity = channel->arrived_capacity > 0 ? 2 * channel->arrived_capacity : 4;
        struct message **arrived = realloc(channel->arrived, capacity * sizeof(struct message *));
        if (arrived == NULL) return RC_ENOMEM;
        channel->arrived = arrived;
        channel->arrived_capacity = capacity;
    }
    channel->arrived[channel->arrived_count++] = message;
    return RC_OK;
}

void channel_forget_arrived(struct channel *channel)
{
    channel->arrived_count = 0;
    if (channel->arrived_capacity <= ARRIVED_KEPT) return;
    free(channel->arrived);
    channel->arrived = NULL;
    channel->arrived_capacity = 0;
}
