/* tests/core/test_channel.c - subscribers keep their places; a home knows which shards are interested. */
#include "core/channel.h"

#include "core/hub.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct hub hub;

static void make_hub(void)
{
    hub_init(&hub, 0, 1);
}

static void free_hub(void)
{
    hub_fini(&hub);
}

TestSuite(channel, .init = make_hub, .fini = free_hub, .timeout = 10);

static struct channel *room(void)
{
    struct name name = name_of("room", 4);
    return hub_make(&hub, &name);
}

static void check_places(const struct channel *channel)
{
    for (uint32_t i = 0; i < channel->count; i++) {
        const struct subscription *subscription = channel->subscriptions[i];
        cr_assert_eq(subscription->position, i);
        cr_assert_eq(subscription->channel, channel);
        cr_assert_eq(subscription->slot, channel->slots[i]);
    }
}

Test(channel, the_last_subscriber_takes_the_free_place)
{
    struct channel *channel = room();
    struct subscription subscriptions[4];
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(channel_subscribe(channel, &subscriptions[i], 100 + i), RC_OK);
    }
    channel_unsubscribe(channel, &subscriptions[1]);
    static const uint32_t places[] = {100, 103, 102};
    cr_assert_eq(channel->count, 3);
    cr_assert_arr_eq(channel->slots, places, sizeof places);
    check_places(channel);
    cr_expect_null(subscriptions[1].channel);
    channel_unsubscribe(channel, &subscriptions[2]);
    channel_unsubscribe(channel, &subscriptions[0]);
    cr_assert_eq(channel->count, 1);
    cr_assert_eq(channel->slots[0], 103);
    channel_unsubscribe(channel, &subscriptions[3]);
    cr_assert_eq(channel->count, 0);
}

/* Method: subscribers come and go at random; who is in is remembered beside the channel. */
Test(channel, any_coming_and_going_keeps_everyone_in_one_place, .timeout = 30)
{
    enum { SLOTS = 2000 };
    static struct subscription subscriptions[SLOTS];
    static bool is_in[SLOTS];
    struct channel *channel = room();
    uint32_t count = 0;
    srandom(1);
    for (int step = 0; step < 20000; step++) {
        uint32_t slot = (uint32_t)random() % SLOTS;
        if (is_in[slot]) {
            channel_unsubscribe(channel, &subscriptions[slot]);
        } else {
            cr_assert_eq(channel_subscribe(channel, &subscriptions[slot], slot), RC_OK);
        }
        is_in[slot] = !is_in[slot];
        count += is_in[slot] ? 1 : -1;
        cr_assert_eq(channel->count, count);
        if (step % 500 == 0) check_places(channel);
    }
    check_places(channel);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(is_in[channel->slots[i]]);
        is_in[channel->slots[i]] = false; /* a second time would be one too many */
    }
}

Test(channel, messages_wait_in_the_order_they_arrived)
{
    struct channel *channel = room();
    for (uintptr_t i = 1; i <= 100; i++) {
        cr_assert_eq(channel_arrive(channel, (struct message *)i), RC_OK);
    }
    cr_assert_eq(channel->arrived_count, 100);
    for (uintptr_t i = 1; i <= 100; i++) {
        cr_expect_eq((uintptr_t)channel->arrived[i - 1], i);
    }
    channel->arrived_count = 0; /* the fan-out has taken them */
}

Test(channel, every_one_of_256_shards_can_be_interested)
{
    struct channel *channel = room();
    cr_expect_eq(channel_next_interested(channel, 0), SHARDS_MAX);
    for (uint32_t shard = 0; shard < SHARDS_MAX; shard++) {
        channel_set_interested(channel, shard, true);
        channel_set_interested(channel, shard, true); /* again: no second one */
        cr_assert_eq(channel->interested_count, 1);
        cr_assert_eq(channel_next_interested(channel, 0), shard);
        cr_assert_eq(channel_next_interested(channel, shard), shard);
        cr_assert_eq(channel_next_interested(channel, shard + 1), SHARDS_MAX);
        channel_set_interested(channel, shard, false);
        channel_set_interested(channel, shard, false);
        cr_assert_eq(channel->interested_count, 0);
    }
    cr_expect_eq(channel_next_interested(channel, SHARDS_MAX), SHARDS_MAX);
}

Test(channel, the_interested_are_walked_in_order_each_once)
{
    static bool is_interested[SHARDS_MAX];
    struct channel *channel = room();
    srandom(2);
    for (int round = 0; round < 200; round++) {
        uint32_t shard = (uint32_t)random() % SHARDS_MAX;
        is_interested[shard] = random() % 3 > 0;
        channel_set_interested(channel, shard, is_interested[shard]);
        uint32_t next = channel_next_interested(channel, 0), count = 0;
        for (uint32_t i = 0; i < SHARDS_MAX; i++) {
            if (!is_interested[i]) continue;
            cr_assert_eq(next, i);
            next = channel_next_interested(channel, i + 1);
            count++;
        }
        cr_assert_eq(next, SHARDS_MAX);
        cr_assert_eq(channel->interested_count, count);
    }
}
