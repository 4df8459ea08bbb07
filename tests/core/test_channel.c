/* tests/core/test_channel.c - subscribers keep their places; each form has its own. */
#include "core/channel.h"

#include "core/hub.h"
#include "core/message.h"

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
    struct name name = name_of(0, text_of("room"));
    return hub_make(&hub, &name);
}

static enum rc subscribe(struct channel *channel, struct subscription *subscription, uint32_t slot)
{
    *subscription = (struct subscription){.slot = slot, .form = FORM_EVENT};
    return channel_subscribe(channel, subscription);
}

static void check_places(const struct channel *channel)
{
    const struct audience *audience = &channel->audiences[FORM_EVENT];
    for (uint32_t i = 0; i < audience->count; i++) {
        const struct subscription *subscription = audience->subscriptions[i];
        cr_assert_eq(subscription->position, i);
        cr_assert_eq(subscription->channel, channel);
        cr_assert_eq(subscription->slot, audience->slots[i]);
    }
}

Test(channel, the_last_subscriber_takes_the_free_place)
{
    struct channel *channel = room();
    struct subscription subscriptions[4];
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(subscribe(channel, &subscriptions[i], 100 + i), RC_OK);
    }
    channel_unsubscribe(channel, &subscriptions[1]);
    static const uint32_t places[] = {100, 103, 102};
    cr_assert_eq(channel_count(channel), 3);
    cr_assert_arr_eq(channel->audiences[FORM_EVENT].slots, places, sizeof places);
    check_places(channel);
    cr_expect_null(subscriptions[1].channel);
    channel_unsubscribe(channel, &subscriptions[2]);
    channel_unsubscribe(channel, &subscriptions[0]);
    cr_assert_eq(channel_count(channel), 1);
    cr_assert_eq(channel->audiences[FORM_EVENT].slots[0], 103);
    channel_unsubscribe(channel, &subscriptions[3]);
    cr_assert_eq(channel_count(channel), 0);
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
            cr_assert_eq(subscribe(channel, &subscriptions[slot], slot), RC_OK);
        }
        is_in[slot] = !is_in[slot];
        count += is_in[slot] ? 1 : -1;
        cr_assert_eq(channel_count(channel), count);
        if (step % 500 == 0) check_places(channel);
    }
    check_places(channel);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(is_in[channel->audiences[FORM_EVENT].slots[i]]);
        is_in[channel->audiences[FORM_EVENT].slots[i]] = false; /* a second time would be one too many */
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

Test(channel, who_reads_in_one_form_does_not_stand_in_the_way_of_another)
{
    struct channel *channel = room();
    struct subscription subscriptions[FORMS_MAX] = {0};
    struct message message = {.frame_bytes = {[FORM_RAW] = 3}};
    for (enum form form = 0; form < FORMS_MAX; form++) {
        subscriptions[form] = (struct subscription){.slot = 7, .form = form};
        cr_assert_eq(channel_subscribe(channel, &subscriptions[form]), RC_OK);
        cr_expect_eq(subscriptions[form].position, 0);
    }
    cr_expect_eq(channel_count(channel), FORMS_MAX);
    cr_expect(channel_wants(channel, &message));
    channel_unsubscribe(channel, &subscriptions[FORM_RAW]);
    cr_expect_not(channel_wants(channel, &message), "the others do not read raw messages");
    message.frame_bytes[FORM_WATCH] = 1;
    cr_expect(channel_wants(channel, &message));
    channel_unsubscribe(channel, &subscriptions[FORM_EVENT]);
    channel_unsubscribe(channel, &subscriptions[FORM_WATCH]);
    cr_expect_eq(channel_count(channel), 0);
}
