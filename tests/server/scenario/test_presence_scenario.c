/* tests/server/scenario/test_presence_scenario.c - members of presence channels on a whole server with a fake kernel:
 * whoever comes and goes when, in the end everybody knows the same members, and they are those who are there.
 *
 * Method: that of tests/server/scenario/test_channels.c. */
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS(...)  CHANNEL_FLAGS("client_events_per_second=1000", __VA_ARGS__)
#define SEND_BUFFER 65536

static struct scenario scenario;

/* ---- the model ---- */

#define CROWD    60
#define CHANNELS 4
#define USERS    9 /* fewer than clients: many have several tabs */

static struct channel_client *crowd[CROWD];
static uint32_t crowd_count;
static char user_of[CROWD][8];
static bool is_gone[CROWD]; /* reset, shut down or closing */
static size_t send_buffer = SEND_BUFFER;
static char channels[CHANNELS][64];

/* Asserts that all who are in know the same members, and that these are their users. */
static void check_members(const char *channel, uint64_t seed)
{
    char expected[2000] = "";
    for (uint32_t i = 0; i < crowd_count; i++) {
        is_gone[i] = is_gone[i] || !channel_client_is_here(crowd[i]);
    }
    for (uint32_t user = 0; user < USERS; user++) {
        bool is_there = false;
        char id[8];
        snprintf(id, sizeof id, "u%u", user);
        for (uint32_t i = 0; i < crowd_count; i++) {
            if (is_gone[i] || strcmp(user_of[i], id) != 0) continue;
            is_there = is_there || channel_client_is_in(crowd[i], channel);
        }
        if (!is_there) continue;
        size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s={\"name\":\"%s\"} ", id, id);
    }
    for (uint32_t i = 0; i < crowd_count; i++) {
        if (is_gone[i]) continue;
        const struct place *place = channel_client_place(crowd[i], channel);
        cr_assert(place == NULL || place->state != PLACE_ASKED, "client %u waits for %s, seed %lu", i, channel, seed);
        if (place == NULL || place->state != PLACE_IN) continue;
        cr_assert_str_eq(channel_client_members(crowd[i], channel), expected, "client %u (%s), %s, seed %lu", i,
                         user_of[i], channel, seed);
    }
}

static void check_all_members(uint64_t seed)
{
    for (uint32_t i = 0; i < CHANNELS; i++) {
        check_members(channels[i], seed);
    }
}

/* ---- coming and going ---- */

static void come(uint32_t shards)
{
    uint32_t index = crowd_count++;
    snprintf(user_of[index], sizeof user_of[index], "u%u", fake_random(USERS));
    is_gone[index] = false;
    crowd[index] = channel_client_join(&scenario, fake_random(shards), CHANNEL_APP_KEY, send_buffer);
}

static void go(uint32_t index)
{
    is_gone[index] = true;
    switch (fake_random(3)) {
    case 0:
        client_close(crowd[index]->client, 1000);
        break;
    case 1:
        fake_shutdown(crowd[index]->client->socket);
        break;
    default:
        fake_reset(crowd[index]->client->socket);
    }
}

static void act(uint32_t shards)
{
    uint32_t index = fake_random(CROWD);
    if (index >= crowd_count) {
        if (crowd_count < CROWD) come(shards);
        return;
    }
    struct channel_client *client = crowd[index];
    if (is_gone[index] || !channel_client_is_here(client)) return;
    const char *channel = channels[fake_random(CHANNELS)];
    const struct place *place = channel_client_place(client, channel);
    if (fake_random(12) == 0) {
        go(index);
    } else if (place == NULL || place->state == PLACE_LEFT) {
        channel_client_subscribe_as(client, channel, user_of[index]);
        /* At once, before any answer: out again, in again, gone. */
        if (fake_random(4) == 0) channel_client_unsubscribe(client, channel);
        if (fake_random(8) == 0) channel_client_subscribe_as(client, channel, user_of[index]);
        if (fake_random(8) == 0) go(index);
    } else if (fake_random(2)) {
        channel_client_unsubscribe(client, channel);
        if (fake_random(3) == 0) channel_client_subscribe_as(client, channel, user_of[index]);
    }
}

static void begin(uint64_t seed, uint32_t shards, const char *mailbox_letters)
{
    char count[8];
    snprintf(count, sizeof count, "%u", shards);
    scenario_start(&scenario, seed, FLAGS("--shards", count, "--mailbox-letters", mailbox_letters));
    crowd_count = 0;
    for (uint32_t i = 0; i < CHANNELS; i++) {
        channel_name(&scenario, i % 2 ? "presence-cache-" : "presence-", i % shards, i, channels[i]);
    }
}

Test(presence_scenario, members_come_and_go_and_in_the_end_all_know_the_same, .timeout = 280)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 4;
        begin(seed, shards, "64");
        for (uint32_t action = 0; action < 400; action++) {
            act(shards);
            for (uint32_t left = fake_random(fake_random(4) == 0 ? 30 : 3); left > 0; left--) {
                scenario_step(&scenario, 0);
            }
            if (action % 100 != 99) continue;
            scenario_settle(&scenario);
            check_all_members(seed);
        }
        scenario_stop(&scenario);
    }
}

/* Goal: the same when the server closes who does not read, in the midst of a flush. Method: some read seldom,
 * outboxes are small, and long events go round. */
Test(presence_scenario, who_is_closed_for_reading_too_slowly_is_gone_for_all, .timeout = 240)
{
    uint64_t closed = 0;
    send_buffer = 4000;
    for (uint64_t seed = 1; seed <= 15; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 3;
        char count[8], data[700] = "\"";
        snprintf(count, sizeof count, "%u", shards);
        memset(data + 1, 'x', 600);
        data[601] = '"';
        scenario_start(&scenario, seed,
                       FLAGS("--shards", count, "--mailbox-letters", "64", "--outbox-bytes-max", "8KiB",
                             "--message-bytes-max", "2KiB"));
        crowd_count = 0;
        for (uint32_t i = 0; i < CHANNELS; i++) {
            channel_name(&scenario, "presence-", i % shards, i, channels[i]);
        }
        for (uint32_t action = 0; action < 400; action++) {
            act(shards);
            struct channel_client *client = crowd_count > 0 ? crowd[fake_random(crowd_count)] : NULL;
            if (client != NULL) client->client->is_reading = fake_random(3) > 0;
            const char *channel = channels[fake_random(CHANNELS)];
            if (client != NULL && channel_client_is_here(client) && channel_client_is_in(client, channel)) {
                channel_client_send(client, channel, "client-long", data);
            }
            for (uint32_t left = fake_random(5); left > 0; left--) {
                scenario_step(&scenario, 0);
            }
            if (action % 100 != 99) continue;
            scenario_settle(&scenario);
            for (uint32_t i = 0; i < crowd_count; i++) {
                crowd[i]->client->is_reading = true;
            }
            scenario_settle(&scenario);
            check_all_members(seed);
        }
        closed += scenario_counter(&scenario, counter_of_close(CLOSE_SLOW_READER));
        scenario_stop(&scenario);
    }
    cr_expect_gt(closed, 0);
}

/* A second signal does not wait for anybody: letters, joins and greetings are dropped where they are. */
Test(presence_scenario, a_stop_in_the_midst_leaves_nothing, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 4;
        begin(seed, shards, "64");
        for (uint32_t action = 0; action < 200; action++) {
            act(shards);
            for (uint32_t left = fake_random(3); left > 0; left--) {
                scenario_step(&scenario, 0);
            }
        }
        server_set_stage(&scenario.server, SERVER_STOPPED);
        while (!server_has_ended(&scenario.server)) {
            fake_kernel_step(fake_now_ms() + 1);
        }
        server_join(&scenario.server);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_subscriptions), 0);
        scenario_free(&scenario);
    }
}

/* ---- in one turn ---- */

Test(presence_scenario, who_joins_in_one_turn_is_told_of_the_others_once, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 3;
        begin(seed, shards, seed % 2 ? "64" : "2048");
        struct channel_client *first = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
        for (uint32_t i = 0; i < 50; i++) {
            come(shards);
            snprintf(user_of[i], sizeof user_of[i], "v%u", i);
        }
        scenario_settle(&scenario);
        channel_client_subscribe_as(first, channels[0], "first");
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 50; i++) {
            channel_client_subscribe_as(crowd[i], channels[0], user_of[i]);
        }
        scenario_settle(&scenario);
        const char *expected = channel_client_members(first, channels[0]);
        cr_expect_eq(channel_client_count(first, "pusher_internal:member_added", channels[0]), 50);
        uint32_t added = 0;
        for (uint32_t i = 0; i < 50; i++) {
            cr_assert_str_eq(channel_client_members(crowd[i], channels[0]), expected, "client %u, seed %lu", i, seed);
            added += channel_client_count(crowd[i], "pusher_internal:member_added", channels[0]);
        }
        cr_expect_lt(added, 50 * 49 / 2, "many came together, and heard of each other in one snapshot");
        scenario_stop(&scenario);
    }
}

/* Goal: a snapshot has nobody in it whose end is not told any more. Method: of those who join in one turn some are
 * gone before it ends. */
Test(presence_scenario, who_leaves_in_the_turn_of_joining_stays_in_nobodys_list, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 3;
        begin(seed, shards, "64");
        for (uint32_t i = 0; i < 20; i++) {
            come(shards);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 20; i++) {
            channel_client_subscribe_as(crowd[i], channels[0], user_of[i]);
            if (fake_random(3) == 0) channel_client_unsubscribe(crowd[i], channels[0]);
            if (fake_random(5) == 0) go(i);
        }
        scenario_settle(&scenario);
        check_all_members(seed);
        scenario_stop(&scenario);
    }
}

/* Goal: who leaves and comes back in one turn has done nothing that concerns others, whoever else does in the same turn
 * what does. Method: a seed may put the two into different turns; most do not. */
Test(presence_scenario, who_comes_back_in_the_turn_of_leaving_is_not_told_of, .timeout = 60)
{
    uint32_t told = 0;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        begin(seed, 1, "64");
        struct channel_client *watcher = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
        for (uint32_t i = 0; i < 20; i++) {
            come(1);
            snprintf(user_of[i], sizeof user_of[i], "v%u", i);
        }
        scenario_settle(&scenario);
        channel_client_subscribe_as(watcher, channels[0], "watcher");
        for (uint32_t i = 0; i < 20; i++) {
            channel_client_subscribe_as(crowd[i], channels[0], user_of[i]);
        }
        scenario_settle(&scenario);
        uint32_t added = channel_client_count(watcher, "pusher_internal:member_added", channels[0]);
        for (uint32_t i = 0; i < 20; i++) {
            channel_client_unsubscribe(crowd[i], channels[0]);
            if (i % 4 != 0) channel_client_subscribe_as(crowd[i], channels[0], user_of[i]);
        }
        scenario_settle(&scenario);
        uint32_t removed = channel_client_count(watcher, "pusher_internal:member_removed", channels[0]);
        added = channel_client_count(watcher, "pusher_internal:member_added", channels[0]) - added;
        cr_expect_eq(removed, added + 5, "seed %lu", seed);
        told += added;
        for (uint32_t i = 0; i < 20; i++) {
            if (i % 4 == 0) continue;
            cr_expect_str_eq(channel_client_members(crowd[i], channels[0]),
                             channel_client_members(watcher, channels[0]));
        }
        scenario_stop(&scenario);
    }
    cr_expect_lt(told, 8 * 15 / 2);
}

/* ---- who somebody is ---- */

#define TEXT_64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TEXT_128 TEXT_64 TEXT_64

Test(presence_scenario, a_member_is_who_its_channel_data_says, .timeout = 30)
{
    static const struct {
        const char *data, *members; /* NULL: refused */
    } rows[] = {
        {"{\"user_id\":\"42\"}", "42=null "},
        {"{\"user_id\":42}", "42=null "},
        {"{\"user_id\":1e2,\"user_info\":null}", "1e2=null "},
        {"{\"user_info\":[1, 2.50],\"user_id\":\"a\"}", "a=[1,2.50] "},
        {"{\"user_id\":\"a\",\"user_info\":true,\"more\":{}}", "a=true "},
        {"{\"user_id\":\"\\u00e4\\\"\",\"user_info\":{\"n\":\"\\u00e4\\\"\\n\"}}",
         "\xc3\xa4\"={\"n\":\"\xc3\xa4\\\"\\n\"} "},
        {"{\"user_id\":\"" TEXT_128 "\"}", TEXT_128 "=null "},
        {"{\"user_id\":\"" TEXT_128 "0\"}", NULL},
        {"", NULL},
        {"42", NULL},
        {"{", NULL},
        {"{}", NULL},
        {"{\"user_id\":\"\"}", NULL},
        {"{\"user_id\":null}", NULL},
        {"{\"user_id\":true}", NULL},
        {"{\"user_id\":[\"42\"]}", NULL},
        {"{\"user_id\":\"a\",\"user_id\":\"b\"}", NULL},
        {"{\"user_id\":\"a\",\"user_info\":1,\"user_info\":1}", NULL},
    };
    scenario_start(&scenario, 1, FLAGS("--shards", "3"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct channel_client *client = channel_client_join(&scenario, (uint32_t)i % 3, CHANNEL_APP_KEY, SEND_BUFFER);
        scenario_settle(&scenario);
        channel_client_subscribe_with(client, "presence-a", rows[i].data);
        scenario_settle(&scenario);
        cr_expect_eq(channel_client_is_in(client, "presence-a"), rows[i].members != NULL, "%s", rows[i].data);
        cr_expect_eq(channel_client_count(client, "pusher:error", NULL), rows[i].members == NULL);
        if (rows[i].members != NULL) {
            cr_expect_str_eq(channel_client_members(client, "presence-a"), rows[i].members, "%s", rows[i].data);
        }
        client_close(client->client, 1000);
        scenario_settle(&scenario);
    }
    scenario_stop(&scenario);
}

/* ---- several tabs ---- */

Test(presence_scenario, a_user_of_several_tabs_comes_with_the_first_and_goes_with_the_last, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        begin(seed, 3, "64");
        struct channel_client *watcher = channel_client_join(&scenario, 1, CHANNEL_APP_KEY, SEND_BUFFER), *tabs[3];
        for (uint32_t i = 0; i < 3; i++) {
            tabs[i] = channel_client_join(&scenario, i, CHANNEL_APP_KEY, SEND_BUFFER);
        }
        scenario_settle(&scenario);
        channel_client_subscribe_as(watcher, channels[1], "watcher");
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 3; i++) {
            channel_client_subscribe_as(tabs[i], channels[1], "42");
            scenario_settle(&scenario);
            cr_assert_str_eq(channel_client_members(tabs[i], channels[1]),
                             "42={\"name\":\"42\"} watcher={\"name\":\"watcher\"} ");
        }
        cr_expect_eq(channel_client_count(watcher, "pusher_internal:member_added", channels[1]), 1);
        channel_client_send(tabs[1], channels[1], "client-typing", "{\"a\": 1.50}");
        scenario_settle(&scenario);
        const struct heard_event *typing = channel_client_heard(watcher, "client-typing", channels[1], 0);
        cr_assert_not_null(typing);
        cr_expect_str_eq(typing->user_id, "42");
        cr_expect_str_eq(typing->data, "{\"a\":1.50}", "digit for digit");
        cr_expect_eq(channel_client_count(tabs[0], "client-typing", channels[1]), 1, "another tab hears it");
        cr_expect_eq(channel_client_count(tabs[1], "client-typing", channels[1]), 0, "it does not itself");
        for (uint32_t i = 0; i < 3; i++) {
            cr_expect_eq(channel_client_count(watcher, "pusher_internal:member_removed", channels[1]), 0);
            if (i == 0) channel_client_unsubscribe(tabs[i], channels[1]);
            if (i == 1) fake_reset(tabs[i]->client->socket);
            if (i == 2) client_close(tabs[i]->client, 1000);
            scenario_settle(&scenario);
        }
        cr_expect_eq(channel_client_count(watcher, "pusher_internal:member_removed", channels[1]), 1);
        cr_expect_str_eq(channel_client_members(watcher, channels[1]), "watcher={\"name\":\"watcher\"} ");
        scenario_stop(&scenario);
    }
}

/* The home's own subscribers learn of an end that the shard only notices as it sends, in its turn's last step. */
Test(presence_scenario, a_member_closed_while_it_is_sent_to_is_gone_for_all_at_once, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        char data[1002] = "";
        scenario_start(&scenario, seed,
                       FLAGS("--shards", "1", "--outbox-bytes-max", "16KiB", "--message-bytes-max", "4KiB",
                             "--ping-ms", "1h", "--close-ms-max", "1h"));
        struct channel_client *speaker = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
        struct channel_client *stuck = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, 2000);
        struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
        scenario_settle(&scenario);
        channel_client_subscribe_as(speaker, "presence-a", "speaker");
        channel_client_subscribe_as(stuck, "presence-a", "stuck");
        scenario_settle(&scenario);
        stuck->client->is_reading = false;
        memset(data, 'x', sizeof data - 1);
        while (scenario_counter(&scenario, COUNTER_subscriptions) == 2) {
            api_client_publish(backend, "presence-a", "published", data);
            while (scenario_step(&scenario, 0)) {
            }
        }
        cr_expect_str_eq(channel_client_members(speaker, "presence-a"), "speaker={\"name\":\"speaker\"} ",
                         "without any further event");
        stuck->client->is_reading = true;
        scenario_settle(&scenario);
        cr_expect_eq(stuck->client->code, 4100);
        scenario_stop(&scenario);
    }
}
