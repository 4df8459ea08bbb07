/* tests/server/scenario/test_channel_life.c - channels and time, on a whole server with a fake kernel: what cache
 * channels remember, how often numbers are told, how fast clients may speak, silence, the drain.
 *
 * Method: that of tests/server/scenario/test_channels.c. */
#include "net/frame.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define SEND_BUFFER 65536

static struct scenario scenario;

static struct channel_client *join(uint32_t shard)
{
    return channel_client_enter(&scenario, shard);
}

/* ---- coming ---- */

Test(channel_life, a_client_that_may_not_come_in_is_told_so_in_its_protocol, .timeout = 60)
{
    static const struct {
        const char *path;
        int code;
    } rows[] = {
        {"/app/rc-key", 0},
        {"/prefix/app/rc-key?protocol=5", 0},
        {"/app/rc-key?protocol=6&x=y", 0},
        {"/app/nobody", 4001},
        {"/app/disabled", 4003},
        {"/app/secure", 4000},
        {"/app", 4005},
        {"/app/", 4005},
        {"/app/rc-key/more", 4005},
        {"/app/rc-key?protocol=seven", 4006},
        {"/app/rc-key?protocol=", 4006},
        {"/app/rc-key?protocol=4", 4007},
        {"/app/rc-key?protocol=8", 4007},
        {"/app/rc-key?protocol=77", 4007},
        {"/app/small", 0},
        {"/app/small", 4100},
    };
    scenario_start(&scenario, 1,
                   CHANNEL_FLAGS("", "--shards", "2", "--app", "1002:disabled:s enabled=no", "--app",
                                 "1003:secure:s tls_only=yes", "--app", "1004:small:s connections_max=1"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct channel_client *client = channel_client_join(&scenario, 0, rows[i].path, SEND_BUFFER);
        scenario_settle(&scenario);
        cr_expect_eq(client->client->status, 101, "%s", rows[i].path);
        cr_expect_eq(client->client->code, rows[i].code, "%s: %u", rows[i].path, client->client->code);
        cr_assert_eq(client->heard_count, 1, "%s", rows[i].path);
        const struct heard_event *error = channel_client_heard(client, "pusher:error", NULL, 0);
        cr_expect_eq(error != NULL ? error->code : 0, rows[i].code, "%s", rows[i].path);
    }
    scenario_stop(&scenario);
}

Test(channel_life, who_speaks_before_the_greeting_is_greeted_first, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        scenario_start(&scenario, seed, CHANNEL_FLAGS("", "--shards", "3"));
        struct channel_client *client = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
        channel_client_say(client, "{\"event\":\"pusher:ping\",\"data\":{}}");
        channel_client_subscribe(client, "room");
        client_frame(client->client, FRAME_PING, "x", 1);
        struct channel_client *nobody = channel_client_join(&scenario, 1, "/app/nobody", SEND_BUFFER);
        channel_client_subscribe(nobody, "room");
        scenario_settle(&scenario);
        cr_assert_eq(client->heard_count, 3);
        cr_expect_str_eq(client->heard[1].event, "pusher:pong");
        cr_expect(channel_client_is_in(client, "room"));
        cr_expect_eq(nobody->heard_count, 1);
        cr_expect_eq(nobody->client->code, 4001);
        scenario_stop(&scenario);
    }
}

/* ---- what is wrong ---- */

#define DEEP_16 "[[[[[[[[[[[[[[[["

Test(channel_life, what_is_wrong_with_a_message_is_told_and_the_connection_stays, .timeout = 60)
{
    static const struct {
        const char *text;
        int code;
        const char *words;
    } rows[] = {
        {"", CHANNEL_CODE_NULL, "Invalid message"},
        {"hello", CHANNEL_CODE_NULL, "Invalid message"},
        {"{\"event\":\"pusher:ping\"", CHANNEL_CODE_NULL, "Invalid message"},
        {"{\"event\":\"pusher:ping\"}{}", CHANNEL_CODE_NULL, "Invalid message"},
        {"[]", CHANNEL_CODE_NULL, "Invalid message"},
        {"\"pusher:ping\"", CHANNEL_CODE_NULL, "Invalid message"},
        {"{}", CHANNEL_CODE_NULL, "Invalid message"},
        {"{\"event\":1}", CHANNEL_CODE_NULL, "Invalid message"},
        {"{\"event\":null}", CHANNEL_CODE_NULL, "Invalid message"},
        {"{\"event\":\"pusher:ping\",\"event\":\"pusher:ping\"}", CHANNEL_CODE_NULL, "each once"},
        {"{\"event\":\"client-a\",\"channel\":1,\"data\":1}", CHANNEL_CODE_NULL, "Invalid message"},
        {"{\"event\":\"pusher:ping\",\"data\":" DEEP_16 DEEP_16, CHANNEL_CODE_NULL, "nested too deeply"},
        {"{\"event\":\"nothing\"}", CHANNEL_CODE_NULL, "Unsupported event received on socket: nothing"},
        {"{\"event\":\"pusher:nothing\",\"data\":{}}", CHANNEL_CODE_NULL, "Unsupported event"},
        {"{\"event\":\"pusher:subscribe\"}", CHANNEL_CODE_NULL, "data needs channel"},
        {"{\"event\":\"pusher:subscribe\",\"data\":\"no json\"}", CHANNEL_CODE_NULL, "holds no JSON"},
        {"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":7}}", CHANNEL_CODE_NULL, "data needs channel"},
        {"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"a b\"}}", CHANNEL_CODE_NULL,
         "Invalid channel name"},
        {"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"\"}}", CHANNEL_CODE_NULL, "Invalid channel name"},
        {"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"room\"}}", CHANNEL_CODE_NULL,
         "Existing subscription to channel room"},
        {"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"private-a\"}}", CHANNEL_CODE_NULL, "Auth info"},
        {"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"#server-to-user-a\"}}", CHANNEL_CODE_NULL,
         "Sign in"},
        {"{\"event\":\"pusher:subscribe\",\"data\":\"{\\\"channel\\\":\\\"private-a\\\"}\"}", CHANNEL_CODE_NULL,
         "Auth info"},
        {"{\"event\":\"pusher:unsubscribe\",\"data\":{}}", CHANNEL_CODE_NULL, "data needs channel"},
        {"{\"event\":\"client-a\",\"data\":1}", CHANNEL_CODE_NULL, "must contain channel"},
        {"{\"event\":\"client-a\",\"channel\":\"private-b\",\"data\":1,\"data\":2}", CHANNEL_CODE_NULL, "each once"},
        {"{\"event\":\"client-a\",\"channel\":\"private-b\"}", CHANNEL_CODE_NULL, "not subscribed"},
        {"{\"event\":\"client-a\",\"channel\":\"private-b\",\"data\":1}", CHANNEL_CODE_NULL, "not subscribed"},
        {"{\"event\":\"client-a\",\"channel\":\"room\",\"data\":1}", CHANNEL_CODE_NULL, "Client event rejected"},
        {"{\"event\":\"client-a\",\"channel\":\"private-encrypted-b\",\"data\":1}", CHANNEL_CODE_NULL, "rejected"},
    };
    scenario_start(&scenario, 2, CHANNEL_FLAGS("", "--shards", "2"));
    struct channel_client *client = join(0);
    channel_client_subscribe(client, "room");
    scenario_settle(&scenario);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t errors = channel_client_count(client, "pusher:error", NULL);
        channel_client_say(client, "%s", rows[i].text);
        scenario_settle(&scenario);
        const struct heard_event *error = channel_client_heard(client, "pusher:error", NULL, errors);
        cr_assert_not_null(error, "%s", rows[i].text);
        cr_expect_eq(error->code, rows[i].code, "%s: %d", rows[i].text, error->code);
        cr_expect_not_null(strstr(error->data, rows[i].words), "%s: %s", rows[i].text, error->data);
        cr_assert_null(channel_client_heard(client, "pusher:error", NULL, errors + 1), "one only: %s", rows[i].text);
        cr_assert(channel_client_is_here(client));
    }
    client_frame(client->client, FRAME_BINARY, "{\"event\":\"pusher:ping\"}", 23);
    channel_client_say(client, "{\"event\":\"pusher:unsubscribe\",\"data\":{\"channel\":\"elsewhere\"}}");
    channel_client_say(client, "{\"event\":\"pusher:pong\"}");
    channel_client_say(client, "{\"event\": \"pusher:ping\"}");
    scenario_settle(&scenario);
    cr_expect_eq(channel_client_count(client, "pusher:error", NULL), sizeof rows / sizeof rows[0] + 1);
    cr_expect_str_eq(channel_client_heard(client, "pusher:pong", NULL, 0)->data, "{}");
    scenario_stop(&scenario);
}

Test(channel_life, limits_of_an_app_are_told_with_a_code, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        scenario_start(&scenario, seed,
                       CHANNEL_FLAGS("channels_max=2 members_max=2 event_bytes_max=10", "--shards", "3"));
        struct channel_client *clients[3];
        for (uint32_t i = 0; i < 3; i++) {
            clients[i] = join(i);
            channel_client_subscribe_as(clients[i], "presence-a", i == 2 ? "c" : "a"); /* two tabs are one member */
        }
        channel_client_subscribe(clients[0], "private-a");
        channel_client_subscribe(clients[0], "one-too-many");
        channel_client_send(clients[0], "presence-a", "client-x", "\"0123456789\"");
        channel_client_send(clients[0], "presence-a", "client-x", "\"0123456789a\"");
        scenario_settle(&scenario);
        struct channel_client *fourth = join(0);
        channel_client_subscribe_as(fourth, "presence-a", "d");
        scenario_settle(&scenario);
        cr_expect_str_eq(channel_client_heard(fourth, "pusher:subscription_error", "presence-a", 0)->data,
                         "{\"type\":\"LimitReached\",\"error\":\"The channel has as many members as the app permits "
                         "(members_max)\",\"status\":4100}");
        cr_expect_eq(channel_client_heard(fourth, "pusher:error", NULL, 0)->code, CHANNEL_CODE_NULL);
        cr_expect(strstr(channel_client_heard(clients[0], "pusher:subscription_error", "one-too-many", 0)->data,
                         "\"status\":4100") != NULL);
        cr_expect_eq(channel_client_heard(clients[0], "pusher:error", NULL, 0)->code, CHANNEL_CODE_NULL);
        cr_expect_eq(channel_client_heard(clients[0], "pusher:error", NULL, 1)->code, 4301);
        cr_expect_eq(channel_client_count(clients[1], "client-x", "presence-a"), 1);
        channel_client_unsubscribe(clients[2], "presence-a"); /* there is room again */
        scenario_settle(&scenario);
        channel_client_subscribe_as(fourth, "presence-a", "d");
        scenario_settle(&scenario);
        cr_expect_str_eq(channel_client_members(fourth, "presence-a"), "a={\"name\":\"a\"} d={\"name\":\"d\"} ");
        scenario_stop(&scenario);
    }
}

/* ---- cache channels ---- */

Test(channel_life, a_cache_channel_remembers_its_last_event_for_a_time, .timeout = 60)
{
    static const char *const prefixes[] = {"cache-", "private-cache-", "private-encrypted-cache-"};
    for (uint64_t seed = 1; seed <= 9; seed++) {
        char channel[64];
        scenario_start(&scenario, seed, CHANNEL_FLAGS("cache_ms=60s", "--shards", "3"));
        channel_name(&scenario, prefixes[seed % 3], seed % 2, 0, channel);
        struct api_client *backend = api_client_join(&scenario, 1, SEND_BUFFER);
        struct channel_client *first = join(0);
        channel_client_subscribe(first, channel);
        scenario_settle(&scenario);
        cr_expect_eq(channel_client_count(first, "pusher:cache_miss", channel), 1);
        api_client_publish(backend, channel, "old", "1");
        api_client_publish(backend, channel, "news", "{\\\"n\\\":2}");
        scenario_settle(&scenario);
        client_close(first->client, 1000);
        scenario_pass(&scenario, 50000); /* nobody is there: it is kept all the same */
        struct channel_client *second = join(1);
        channel_client_subscribe(second, channel);
        scenario_settle(&scenario);
        cr_assert_eq(second->heard_count, 3, "greeting, success, event");
        cr_expect_str_eq(second->heard[2].event, "news");
        cr_expect_str_eq(second->heard[2].data, "{\"n\":2}");
        scenario_pass(&scenario, 15000);
        struct channel_client *third = join(2);
        channel_client_subscribe(third, channel);
        scenario_settle(&scenario);
        cr_assert_eq(third->heard_count, 3);
        cr_expect_str_eq(third->heard[2].event, "pusher:cache_miss");
        cr_expect_str_eq(third->heard[2].data, "{}");
        cr_expect_eq(channel_client_count(second, "pusher:cache_miss", NULL), 0);
        scenario_stop(&scenario);
    }
}

/* ---- how many ---- */

/* What the client was told last; 0: nothing. */
static uint32_t told_count(const struct channel_client *client, const char *channel)
{
    static const char event[] = "pusher_internal:subscription_count";
    uint32_t count = channel_client_count(client, event, channel);
    if (count == 0) return 0;
    return (uint32_t)strtoul(channel_client_heard(client, event, channel, count - 1)->data + 22, NULL, 10);
}

Test(channel_life, subscribers_are_told_their_number_once_a_turn, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        char room[64];
        struct channel_client *clients[20];
        scenario_start(&scenario, seed, CHANNEL_FLAGS("subscription_counts=yes", "--shards", "3"));
        const char *channel = scenario_room(&scenario, (uint32_t)seed % 3, 0, room) + strlen("/room/");
        for (uint32_t i = 0; i < 20; i++) {
            clients[i] = channel_client_join(&scenario, i % 3, CHANNEL_APP_KEY, SEND_BUFFER);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 20; i++) {
            channel_client_subscribe(clients[i], channel);
        }
        scenario_settle(&scenario);
        uint32_t tellings = 0;
        for (uint32_t i = 0; i < 20; i++) {
            cr_expect_eq(told_count(clients[i], channel), 20, "client %u, seed %lu", i, seed);
            tellings += channel_client_count(clients[i], "pusher_internal:subscription_count", channel);
        }
        cr_expect_lt(tellings, 20 * 21 / 2, "not one for each who came");
        client_join(&scenario, 1, room, SEND_BUFFER);
        scenario_settle(&scenario);
        cr_expect_eq(told_count(clients[7], channel), 21, "one in the room counts too");
        for (uint32_t i = 0; i < 10; i++) {
            if (i % 2) fake_reset(clients[i]->client->socket);
            if (i % 2 == 0) channel_client_unsubscribe(clients[i], channel);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 10; i < 20; i++) {
            cr_expect_eq(told_count(clients[i], channel), 11, "client %u, seed %lu", i, seed);
        }
        scenario_stop(&scenario);
    }
}

Test(channel_life, a_crowd_is_told_its_number_every_five_seconds_only, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        static struct channel_client *clients[130];
        scenario_start(&scenario, seed, CHANNEL_FLAGS("subscription_counts=yes", "--shards", "3"));
        for (uint32_t i = 0; i < 130; i++) {
            clients[i] = channel_client_join(&scenario, i % 3, CHANNEL_APP_KEY, SEND_BUFFER);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 120; i++) {
            channel_client_subscribe(clients[i], "crowd");
        }
        scenario_pass(&scenario, 6000);
        cr_expect_eq(told_count(clients[0], "crowd"), 120);
        channel_client_subscribe(clients[120], "crowd"); /* the last telling may be long ago: this one is told */
        scenario_pass(&scenario, 100);
        uint32_t before = channel_client_count(clients[0], "pusher_internal:subscription_count", "crowd");
        for (uint32_t i = 121; i < 130; i++) {
            channel_client_subscribe(clients[i], "crowd");
            scenario_pass(&scenario, 300);
        }
        cr_expect_eq(channel_client_count(clients[0], "pusher_internal:subscription_count", "crowd"), before);
        scenario_pass(&scenario, 3500);
        cr_expect_eq(channel_client_count(clients[0], "pusher_internal:subscription_count", "crowd"), before + 1);
        cr_expect_eq(told_count(clients[129], "crowd"), 130);
        for (uint32_t i = 0; i < 35; i++) { /* 95 left: no crowd, told at once */
            fake_reset(clients[i]->client->socket);
        }
        scenario_settle(&scenario);
        cr_expect_eq(told_count(clients[129], "crowd"), 95);
        scenario_stop(&scenario);
    }
}

/* ---- how fast ---- */

Test(channel_life, a_client_that_speaks_too_fast_is_told_so_and_may_go_on_later, .timeout = 30)
{
    scenario_start(&scenario, 4, CHANNEL_FLAGS("client_events_per_second=10", "--shards", "2"));
    struct channel_client *speaker = join(0), *reader = join(1);
    channel_client_subscribe(speaker, "private-a");
    channel_client_subscribe(reader, "private-a");
    scenario_settle(&scenario);
    for (uint32_t second = 1; second <= 3; second++) {
        for (uint32_t i = 0; i < 14; i++) {
            channel_client_send(speaker, "private-a", "client-x", "{}");
        }
        scenario_settle(&scenario);
        cr_expect_eq(channel_client_count(reader, "client-x", "private-a"), 10 * second);
        cr_expect_eq(channel_client_count(speaker, "pusher:error", NULL), 4 * second);
        cr_expect_eq(channel_client_heard(speaker, "pusher:error", NULL, 0)->code, 4301);
        scenario_pass(&scenario, 1000);
    }
    cr_expect(channel_client_is_here(speaker));
    scenario_stop(&scenario);
}

/* ---- silence, the end ---- */

Test(channel_life, the_silent_are_pinged_by_frames_and_the_mute_closed_with_4201, .timeout = 30)
{
    scenario_start(&scenario, 1, CHANNEL_FLAGS("", "--shards", "2", "--ping-ms", "25s", "--pong-ms-max", "10s"));
    struct channel_client *polite = join(0), *mute = join(1);
    mute->client->is_mute = true;
    scenario_pass(&scenario, 29000);
    cr_expect_eq(mute->client->pings, 1);
    scenario_pass(&scenario, 11000);
    cr_expect_eq(mute->client->code, 4201);
    cr_expect_eq(channel_client_heard(mute, "pusher:error", NULL, 0)->code, 4201);
    cr_expect(channel_client_is_here(polite));
    scenario_pass(&scenario, 6000);
    scenario_stop(&scenario);
}

Test(channel_life, at_the_end_all_are_told_when_to_come_back, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        const char *flag = seed % 2 ? "--drain-reconnect" : NULL;
        struct channel_client *clients[30];
        scenario_start(&scenario, seed, CHANNEL_FLAGS("subscription_counts=yes", "--shards", "3", flag));
        for (uint32_t i = 0; i < 30; i++) {
            clients[i] = channel_client_join(&scenario, i % 3, CHANNEL_APP_KEY, SEND_BUFFER);
        }
        const struct client *raw = client_join(&scenario, 0, "/room/a", SEND_BUFFER);
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 30; i++) {
            channel_client_subscribe_as(clients[i], "presence-a", "u");
            channel_client_subscribe(clients[i], "a");
            channel_client_sign_in(clients[i], "u", NULL);
        }
        for (uint32_t left = fake_random(60); left > 0; left--) {
            scenario_step(&scenario, 0);
        }
        server_set_stage(&scenario.server, SERVER_STOPPING);
        while (!server_has_ended(&scenario.server)) {
            scenario_step(&scenario, 50);
        }
        for (uint32_t i = 0; i < 30; i++) {
            client_read(clients[i]->client);
            uint16_t code = seed % 2 ? 4200 : 4100;
            cr_expect_eq(clients[i]->client->code, code, "client %u, seed %lu", i, seed);
            const struct heard_event *error = channel_client_heard(clients[i], "pusher:error", NULL, 0);
            cr_assert_not_null(error);
            cr_expect_eq(error->code, code);
        }
        cr_expect_eq(raw->code, seed % 2 ? 1012 : 1001);
        scenario_stop(&scenario);
    }
}
