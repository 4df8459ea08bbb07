/* tests/core/test_hub.c - channels are found by name, live in one home, and go when nothing needs them. */
#include "core/hub.h"

#include "core/letter.h"
#include "core/roster.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define NAMES 5000

static char texts[NAMES][16];

static struct name nth_name(uint32_t n)
{
    int length = snprintf(texts[n], sizeof texts[n], "room-%u", n);
    return name_of(0, (struct text){texts[n], (size_t)length});
}

Test(hub, thousands_of_names_are_found_while_the_table_grows_and_empties, .timeout = 20)
{
    struct hub hub;
    cr_assert_eq(hub_init(&hub, 1, 3), RC_OK);
    static struct channel *channels[NAMES];
    for (uint32_t n = 0; n < NAMES; n++) {
        struct name name = nth_name(n);
        cr_assert_null(hub_find(&hub, &name));
        channels[n] = hub_make(&hub, &name);
        memset(texts[n], 'x', sizeof texts[n]); /* the channel keeps its own */
        struct name again = nth_name(n);
        cr_assert_eq(hub_find(&hub, &again), channels[n]);
        cr_assert_eq(hub_make(&hub, &again), channels[n]);
        cr_assert_eq(hub.count, n + 1);
    }
    cr_expect_geq(hub.capacity, NAMES, "about one comparison for a lookup");
    for (uint32_t n = 0; n < NAMES; n++) {
        struct name name = nth_name(n);
        cr_assert_eq(hub_find(&hub, &name), channels[n]);
    }
    for (uint32_t n = 0; n < NAMES; n += 2) {
        cr_assert(hub_drop_if_unused(&hub, channels[n]));
    }
    for (uint32_t n = 0; n < NAMES; n++) {
        struct name name = nth_name(n);
        cr_assert_eq(hub_find(&hub, &name), n % 2 == 0 ? NULL : channels[n]);
    }
    cr_expect_eq(hub.count, NAMES / 2);
    hub_fini(&hub); /* frees those that are left */
    hub_fini(&hub);
}

/* Method: names with made-up equal hashes; clients cannot make them, but the table must not mix them up. */
Test(hub, names_of_one_hash_are_told_apart, .timeout = 5)
{
    struct hub hub;
    cr_assert_eq(hub_init(&hub, 0, 1), RC_OK);
    struct name names[] = {
        {"a", 1, 0, 42}, {"b", 1, 0, 42}, {"ab", 2, 0, 42}, {"a", 1, 0, 42 + (UINT64_C(1) << 40)}, {"a", 1, 7, 42}};
    struct channel *channels[5];
    for (size_t i = 0; i < 5; i++) {
        channels[i] = hub_make(&hub, &names[i]);
    }
    cr_expect_eq(hub.count, 5);
    cr_expect(hub_drop_if_unused(&hub, channels[1])); /* from the middle of the chain */
    for (size_t i = 0; i < 5; i++) {
        cr_expect_eq(hub_find(&hub, &names[i]), i == 1 ? NULL : channels[i]);
    }
    hub_fini(&hub);
}

Test(hub, every_shard_names_the_same_home_and_homes_are_spread, .timeout = 10)
{
    static const uint32_t counts[] = {1, 2, 3, 4, 16, 64, 255, 256};
    name_set_key(0x0123456789abcdef, 0xfedcba9876543210);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint32_t shards = counts[i], used[HOMES_MAX] = {0};
        struct hub first, last;
        cr_assert_eq(hub_init(&first, 0, shards), RC_OK);
        cr_assert_eq(hub_init(&last, shards - 1, shards), RC_OK);
        for (uint32_t n = 0; n < NAMES; n++) {
            struct name name = nth_name(n);
            uint32_t home = hub_home(&first, &name);
            cr_assert_lt(home, shards);
            cr_assert_eq(hub_home(&last, &name), home);
            used[home]++;
        }
        for (uint32_t shard = 0; shard < shards; shard++) {
            cr_expect_gt(used[shard], 0, "no name of %u lives on shard %u of %u", NAMES, shard, shards);
            cr_expect_leq(used[shard], 3 * NAMES / shards + 20, "%u on one of %u", used[shard], shards);
        }
        hub_fini(&first);
        hub_fini(&last);
    }
}

/* The last one is no home: the shard for backends. */
Test(hub, a_new_channel_has_a_roster_at_its_home_only, .timeout = 5)
{
    for (uint32_t shard = 0; shard < 5; shard++) {
        struct hub hub;
        cr_assert_eq(hub_init(&hub, shard, 4), RC_OK);
        for (uint32_t n = 0; n < 50; n++) {
            struct name name = nth_name(n);
            struct channel *channel = hub_make(&hub, &name);
            cr_expect_eq(channel->home, hub_home(&hub, &name));
            cr_expect_eq(channel->roster != NULL, channel->home == shard);
            cr_expect_eq(channel_count(channel) + channel->arrived_count + channel->pending, 0);
        }
        hub_fini(&hub);
    }
}

Test(hub, a_channel_stays_while_anything_needs_it, .timeout = 5)
{
    struct hub hub;
    cr_assert_eq(hub_init(&hub, 0, 1), RC_OK);
    struct name name = nth_name(0);
    struct channel *channel = hub_make(&hub, &name);
    struct subscription subscription = {.slot = 1, .form = FORM_EVENT};

    channel->pending = 1;
    cr_expect_not(hub_drop_if_unused(&hub, channel), "one who waits for the home's word");
    channel_subscribe(channel, &subscription);
    channel->pending = 0;
    cr_expect_not(hub_drop_if_unused(&hub, channel), "a subscriber");
    roster_add(channel->roster, 1, FORM_RAW);
    channel_unsubscribe(channel, &subscription);
    cr_expect_not(hub_drop_if_unused(&hub, channel), "a subscriber on another shard");
    channel_arrive(channel, (struct message *)16);
    roster_remove(channel->roster, 1, FORM_RAW);
    cr_expect_not(hub_drop_if_unused(&hub, channel), "a waiting message");
    channel->arrived_count = 0;
    channel->roster->kept = (struct message *)16;
    cr_expect_not(hub_drop_if_unused(&hub, channel), "a kept event");
    channel->roster->kept = NULL;
    cr_expect_eq(hub_find(&hub, &name), channel);
    cr_expect(hub_drop_if_unused(&hub, channel));
    cr_expect_null(hub_find(&hub, &name));
    cr_expect_eq(hub.count, 0);
    hub_fini(&hub);
}

Test(hub, a_walk_meets_every_channel_once, .timeout = 10)
{
    struct hub hub;
    uint32_t bucket = 0, met = 0;
    struct channel *channel = NULL;
    cr_assert_eq(hub_init(&hub, 0, 1), RC_OK);
    cr_expect_null(hub_next(&hub, &bucket, NULL), "there is none");
    for (uint32_t n = 0; n < NAMES; n++) {
        struct name name = nth_name(n);
        hub_make(&hub, &name);
    }
    bucket = 0;
    while ((channel = hub_next(&hub, &bucket, channel)) != NULL) {
        cr_expect_eq(channel->pending, 0, "met twice");
        channel->pending = 1;
        met++;
    }
    cr_expect_eq(met, NAMES);
    hub_fini(&hub);
}

static void meet(void *met, struct channel *channel)
{
    channel->pending++;
    (*(uint32_t *)met)++;
}

/* Half of the channels go meanwhile, some of them in the walk, and as many come, for whom the table grows. */
Test(hub, a_walk_in_pieces_meets_once_who_is_there_all_the_time, .timeout = 10)
{
    static struct channel *channels[NAMES];
    struct hub hub;
    struct hub_walk walk;
    uint32_t made = NAMES / 8, met = 0, pieces = 0;
    cr_assert_eq(hub_init(&hub, 0, 1), RC_OK);
    for (uint32_t n = 0; n < NAMES / 8; n++) {
        struct name name = nth_name(n);
        channels[n] = hub_make(&hub, &name);
    }
    uint32_t capacity = hub.capacity;
    hub_walk_begin(&hub, &walk);
    for (bool has_more = true; has_more; pieces++) {
        uint32_t before = met;
        has_more = hub_walk_step(&hub, &walk, 16, meet, &met);
        cr_expect_lt(met - before, 64, "a piece");
        for (uint32_t n = made; n < made + 100 && n < NAMES; n++) {
            struct name name = nth_name(n);
            channels[n] = hub_make(&hub, &name);
        }
        made = made + 100 < NAMES ? made + 100 : NAMES;
        uint32_t goes = 2 * pieces + 1;
        if (goes >= NAMES / 8) continue;
        channels[goes]->pending = 0;
        cr_assert(hub_drop_if_unused(&hub, channels[goes]));
    }
    cr_expect_gt(hub.capacity, 2 * capacity, "it has grown");
    cr_expect_gt(pieces, 10);
    for (uint32_t n = 0; n < NAMES / 8; n += 2)
        cr_expect_eq(channels[n]->pending, 1, "%u", n);
    for (uint32_t n = NAMES / 8; n < made; n++)
        cr_expect_leq(channels[n]->pending, 1, "%u", n);
    hub_fini(&hub);
}
