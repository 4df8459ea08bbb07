/* core/channel.c - subscribers of one channel on one shard, and the home's set of interested shards. */
#include "core/channel.h"

#include <assert.h>
#include <stdlib.h>

#define ARRIVED_KEPT 1024 /* places for messages that a channel keeps from turn to turn */

static enum rc reserve_place(struct channel *channel)
{
    if (channel->count < channel->capacity) return RC_OK;
    uint32_t capacity = channel->capacity > 0 ? 2 * channel->capacity : 2;
    uint32_t *slots = realloc(channel->slots, capacity * sizeof *slots);
    if (slots == NULL) return RC_ENOMEM;
    channel->slots = slots;
    struct subscription **subscriptions = realloc(channel->subscriptions, capacity * sizeof(struct subscription *));
    if (subscriptions == NULL) return RC_ENOMEM;
    channel->subscriptions = subscriptions;
    channel->capacity = capacity;
    return RC_OK;
}

enum rc channel_subscribe(struct channel *channel, struct subscription *subscription, uint32_t slot)
{
    enum rc rc = reserve_place(channel);
    if (rc != RC_OK) return rc;
    *subscription = (struct subscription){.channel = channel, .slot = slot, .position = channel->count};
    channel->slots[channel->count] = slot;
    channel->subscriptions[channel->count] = subscription;
    channel->count++;
    return RC_OK;
}

void channel_unsubscribe(struct channel *channel, struct subscription *subscription)
{
    uint32_t position = subscription->position;
    assert(subscription->channel == channel && channel->subscriptions[position] == subscription);
    channel->count--;
    if (position != channel->count) {
        channel->slots[position] = channel->slots[channel->count];
        channel->subscriptions[position] = channel->subscriptions[channel->count];
        channel->subscriptions[position]->position = position;
    }
    subscription->channel = NULL;
}

enum rc channel_arrive(struct channel *channel, struct message *message)
{
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

void channel_set_interested(struct channel *channel, uint32_t shard, bool is_interested)
{
    assert(shard < SHARDS_MAX);
    uint64_t *word = &channel->interested[shard / 64];
    uint64_t bit = UINT64_C(1) << shard % 64;
    if (is_interested == ((*word & bit) != 0)) return;
    *word ^= bit;
    channel->interested_count += is_interested ? 1 : -1;
}

uint32_t channel_next_interested(const struct channel *channel, uint32_t shard)
{
    while (shard < SHARDS_MAX) {
        uint64_t word = channel->interested[shard / 64] >> shard % 64;
        if (word != 0) return shard + (uint32_t)__builtin_ctzll(word);
        shard = (shard / 64 + 1) * 64;
    }
    return SHARDS_MAX;
}
