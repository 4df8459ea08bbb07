/* tests/server/scenario/test_api_scenario.c - backends that publish and ask, on a whole server with a fake kernel: each
 * call is answered once and in its order, whatever the homes do meanwhile, and numbers are exact.
 *
 * Method: that of tests/server/scenario/test_channels.c, with backends of tests/support/api_client.h. */
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS(...)  CHANNEL_FLAGS("", __VA_ARGS__)
#define SEND_BUFFER 65536

static struct scenario scenario;

/* Every other server has an address for backends, which is a shard without channels and clients. */
static void start(uint64_t seed, const char *mailbox_letters)
{
    char count[8];
    bool has_control = seed / 2 % 2;
    snprintf(count, sizeof count, "%u", 1 + (uint32_t)seed % 3);
    scenario_start(&scenario, seed,
                   FLAGS("--shards", count, "--mailbox-letters", mailbox_letters, has_control ? "--control" : NULL,
                         "127.0.0.1:0"));
}

static struct api_client *call_from(uint32_t shard, size_t send_buffer)
{
    return api_client_join(&scenario, shard % scenario.server.shards_count, send_buffer);
}

static struct channel_client *join(uint32_t shard)
{
    return channel_client_enter(&scenario, shard % scenario.server.homes_count);
}

/* ---- publishing ---- */

/* A call to 100 channels, room-0 to room-99, one of them twice; the caller frees. */
static char *hundred_channels(const char *info)
{
    char *body = calloc(1, 4000);
    snprintf(body, 4000, "{\"name\":\"published\",\"data\":\"x\",\"channels\":[\"room-0\"");
    for (uint32_t i = 1; i < 100; i++) {
        snprintf(body + strlen(body), 4000 - strlen(body), ",\"room-%u\"", i == 99 ? 0 : i);
    }
    snprintf(body + strlen(body), 4000 - strlen(body), "]%s}", info);
    return body;
}

Test(api_scenario, one_call_reaches_a_hundred_channels_and_is_answered_once, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 9; seed++) {
        char channel[40];
        start(seed, "64");
        struct channel_client *client = join(0), *other = join(1);
        struct api_client *backend = call_from((uint32_t)seed, SEND_BUFFER);
        for (uint32_t i = 0; i < 99; i++) {
            snprintf(channel, sizeof channel, "room-%u", i);
            channel_client_subscribe(client, channel);
            if (i < 50) channel_client_subscribe(other, channel);
        }
        scenario_settle(&scenario);
        char *plain = hundred_channels(""), *counted = hundred_channels(",\"info\":\"subscription_count\"");
        api_client_post(backend, "/events", plain);
        api_client_post(backend, "/events", counted);
        scenario_settle(&scenario);
        cr_assert_eq(backend->answers_count, 2, "seed %lu", seed);
        cr_expect_str_eq(backend->answers[0].body, "{}");
        const char *at = api_client_last(backend, 200);
        static const char begin[] = "{\"channels\":{\"room-0\":{\"subscription_count\":2},\"room-1\":{";
        cr_expect_eq(strncmp(at, begin, strlen(begin)), 0, "%s", at);
        uint32_t ones = 0, twos = 0;
        for (; (at = strstr(at, "subscription_count\":")) != NULL; at++) {
            ones += at[20] == '1' && at[21] == '}';
            twos += at[20] == '2' && at[21] == '}';
        }
        cr_expect_eq(ones, 49);
        cr_expect_eq(twos, 50);
        cr_expect_eq(channel_client_count(client, "published", NULL), 2 * 99);
        cr_expect_eq(channel_client_count(client, "published", "room-0"), 2, "named twice, told once");
        cr_expect_eq(channel_client_count(other, "published", NULL), 2 * 50);
        free(plain);
        free(counted);
        scenario_stop(&scenario);
    }
}

Test(api_scenario, a_batch_is_published_whole_or_not_at_all, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        start(seed, "64");
        struct channel_client *client = join(1);
        struct api_client *backend = call_from((uint32_t)seed, SEND_BUFFER);
        channel_client_subscribe(client, "a");
        channel_client_subscribe_as(client, "presence-b", "u");
        scenario_settle(&scenario);
        api_client_post(backend, "/batch_events",
                        "{\"batch\":[{\"name\":\"published\",\"channel\":\"a\",\"data\":{ \"n\" : 1.0 }},"
                        "{\"name\":\"published\",\"channel\":\"presence-b\",\"data\":\"2\",\"info\":\"user_count,"
                        "subscription_count\"},{\"name\":\"published\",\"channel\":\"a\",\"data\":\"3\"}]}");
        scenario_settle(&scenario);
        cr_expect_str_eq(api_client_last(backend, 200),
                         "{\"batch\":[{},{\"user_count\":1,\"subscription_count\":1},{}]}");
        cr_expect_str_eq(channel_client_heard(client, "published", "a", 0)->data, "{\"n\":1.0}");
        cr_expect_str_eq(channel_client_heard(client, "published", "a", 1)->data, "3");
        api_client_post(backend, "/batch_events",
                        "{\"batch\":[{\"name\":\"published\",\"channel\":\"a\",\"data\":\"4\"},"
                        "{\"name\":\"pusher:no\",\"channel\":\"a\",\"data\":\"5\"}]}");
        scenario_settle(&scenario);
        api_client_last(backend, 400);
        cr_expect_eq(channel_client_count(client, "published", NULL), 3);
        scenario_stop(&scenario);
    }
}

/* ---- many calls ---- */

Test(api_scenario, calls_in_one_write_are_answered_in_their_order, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char path[64];
        start(seed, "64");
        struct channel_client *clients[5];
        struct api_client *backend = call_from((uint32_t)seed, 200 + fake_random(2000));
        for (uint32_t i = 0; i < 5; i++) {
            clients[i] = join(i);
            for (uint32_t k = 0; k <= i; k++) {
                snprintf(path, sizeof path, "room-%u", k);
                channel_client_subscribe(clients[i], path);
            }
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 100; i++) { /* room-K has 5 - K */
            snprintf(path, sizeof path, "/channels/room-%u", i % 5);
            if (i % 7 == 3) api_client_get(backend, "/nothing", "");
            api_client_get(backend, path, "info=subscription_count");
            snprintf(path, sizeof path, "room-%u", i % 5);
            api_client_publish(backend, path, "published", "x");
        }
        bool is_half_closed = seed % 2;
        if (is_half_closed) fake_shutdown(backend->client->socket);
        scenario_settle(&scenario);
        uint32_t answer = 0;
        for (uint32_t i = 0; i < 100; i++) {
            char expected[80];
            if (i % 7 == 3) cr_assert_eq(backend->answers[answer++].status, 404);
            snprintf(expected, sizeof expected, "{\"occupied\":true,\"subscription_count\":%u}", 5 - i % 5);
            cr_assert_lt(answer, backend->answers_count, "call %u, seed %lu", i, seed);
            cr_assert_str_eq(backend->answers[answer++].body, expected);
            cr_assert_str_eq(backend->answers[answer++].body, "{}");
        }
        cr_expect_eq(answer, backend->answers_count);
        cr_expect_eq(fake_is_at_end(backend->client->socket), is_half_closed, "seed %lu", seed);
        cr_expect_eq(channel_client_count(clients[4], "published", NULL), 100);
        scenario_stop(&scenario);
    }
}

Test(api_scenario, a_call_may_come_byte_by_byte, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        start(seed, "64");
        struct channel_client *client = join(0);
        struct api_client *backend = call_from((uint32_t)seed, SEND_BUFFER);
        channel_client_subscribe(client, "room");
        scenario_settle(&scenario);
        char *request = api_request("POST", "/events", "",
                                    "{\"name\":\"published\",\"channel\":\"room\",\"data\":\"a\\u00e4\\n\"}");
        for (const char *at = request; *at != '\0'; at++) {
            cr_assert_eq(backend->answers_count, 0);
            fake_write(backend->client->socket, at, 1);
            while (scenario_step(&scenario, 0)) {
            }
        }
        scenario_settle(&scenario);
        cr_expect_str_eq(api_client_last(backend, 200), "{}");
        cr_expect_str_eq(channel_client_heard(client, "published", "room", 0)->data, "a\u00e4\n");
        free(request);
        scenario_stop(&scenario);
    }
}

/* Goal: an answer that finds nobody is dropped, also when its slot has another connection by then. */
Test(api_scenario, who_hangs_up_while_a_call_is_under_way_leaves_nothing, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        start(seed, "64");
        char *body = hundred_channels(",\"info\":\"subscription_count\"");
        struct channel_client *client = join(0);
        channel_client_subscribe(client, "room-7");
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 60; i++) {
            struct api_client *backend = call_from(fake_random(8), 100 + fake_random(9000));
            for (uint32_t calls = 1 + fake_random(3); calls > 0; calls--) {
                if (fake_random(2)) api_client_get(backend, "/channels", "info=subscription_count");
                api_client_post(backend, "/events", body);
            }
            for (uint32_t left = fake_random(12); left > 0; left--) {
                scenario_step(&scenario, 0);
            }
            if (fake_random(3) == 0) fake_shutdown(backend->client->socket);
            if (fake_random(2)) fake_reset(backend->client->socket);
        }
        scenario_settle(&scenario);
        cr_expect(channel_client_is_here(client));
        free(body);
        scenario_stop(&scenario);
    }
}

/* ---- reading ---- */

Test(api_scenario, numbers_are_exact, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        start(seed, "2048");
        struct api_client *backend = call_from((uint32_t)seed, SEND_BUFFER);
        struct channel_client *clients[5];
        for (uint32_t i = 0; i < 5; i++) {
            clients[i] = join(i);
            channel_client_subscribe_as(clients[i], "presence-a", i < 3 ? "tabs" : i == 3 ? "b" : "c");
            if (i < 2) channel_client_subscribe(clients[i], "cache-a");
            channel_client_sign_in(clients[i], "user", NULL);
            scenario_settle(&scenario);
        }
        api_client_publish(backend, "cache-a", "published", "kept");
        scenario_settle(&scenario);
        static const struct {
            const char *path, *query, *body;
        } rows[] = {
            {"/channels/presence-a", "info=user_count,subscription_count",
             "{\"occupied\":true,\"user_count\":3,\"subscription_count\":5}"},
            {"/channels/presence-a", "", "{\"occupied\":true}"},
            {"/channels/nobody", "info=subscription_count", "{\"occupied\":false,\"subscription_count\":0}"},
            {"/channels/cache-a", "info=subscription_count,cache",
             "{\"occupied\":true,\"subscription_count\":2,\"cache\":{\"data\":\"kept\",\"ttl\":1800}}"},
            {"/channels/cache-b", "info=cache", "{\"occupied\":false,\"cache\":null}"},
            {"/channels", "filter_by_prefix=presence-&info=user_count",
             "{\"channels\":{\"presence-a\":{\"user_count\":3}}}"},
            {"/channels", "filter_by_prefix=ca", "{\"channels\":{\"cache-a\":{}}}"},
            {"/channels", "filter_by_prefix=x", "{\"channels\":{}}"},
            {"/channels/presence-b/users", "", "{\"users\":[]}"},
            {"/connections", "", "{\"connections\":5}"},
        };
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            api_client_get(backend, rows[i].path, rows[i].query);
            scenario_settle(&scenario);
            cr_expect_str_eq(api_client_last(backend, 200), rows[i].body, "%s: %s", rows[i].path,
                             api_client_last(backend, 200));
            cr_expect_not_null(
                strstr(backend->answers[backend->answers_count - 1].head, "Content-Type: application/json\r\n"));
        }
        api_client_get(backend, "/channels/presence-a/users", "");
        scenario_settle(&scenario);
        const char *users = api_client_last(backend, 200);
        cr_expect_eq(strlen(users), strlen("{\"users\":[{\"id\":\"tabs\"},{\"id\":\"b\"},{\"id\":\"c\"}]}"));
        cr_expect(strstr(users, "{\"id\":\"tabs\"}") && strstr(users, "{\"id\":\"b\"}") &&
                  strstr(users, "{\"id\":\"c\"}"));
        api_client_get(backend, "/channels", "info=subscription_count");
        scenario_settle(&scenario);
        const char *all = api_client_last(backend, 200);
        cr_expect(strstr(all, "\"presence-a\":{\"subscription_count\":5}") != NULL, "%s", all);
        cr_expect(strstr(all, "\"cache-a\":{\"subscription_count\":2}") != NULL, "%s", all);
        cr_expect_null(strchr(all, '#'), "users are hidden");
        scenario_pass(&scenario, 1801000);
        scenario_stop(&scenario);
    }
}

Test(api_scenario, a_refused_call_keeps_the_connection, .timeout = 30)
{
    static const struct {
        const char *method, *path, *query, *body;
        unsigned status;
    } rows[] = {
        {"GET", "/nothing", "", "", 404},
        {"DELETE", "/channels", "", "", 405},
        {"GET", "/events", "", "", 405},
        {"GET", "/channels", "info=user_count", "", 400},
        {"GET", "/channels/room/users", "", "", 400},
        {"GET", "/channels/presence-a/users", "info=user_count", "", 400},
        {"GET", "/channels/room", "info=cache", "", 400},
        {"POST", "/events", "", "{", 400},
        {"POST", "/events", "", "[]", 400},
        {"POST", "/events", "", "{\"name\":\"a\",\"data\":\"\"}", 400},
        {"POST", "/events", "", "{\"name\":\"a\",\"data\":\"\",\"channels\":[]}", 400},
        {"POST", "/events", "", "{\"name\":\"a\",\"data\":\"\",\"channels\":[\"b\",\"c d\"]}", 400},
        {"POST", "/events", "", "{\"name\":\"pusher:a\",\"data\":\"\",\"channel\":\"b\"}", 400},
        {"POST", "/events", "", "{\"name\":\"a\",\"data\":\"\",\"channel\":\"b\",\"socket_id\":\"1\"}", 400},
        {"POST", "/events", "", "{\"name\":\"a\",\"name\":\"a\",\"data\":\"\",\"channel\":\"b\"}", 400},
        {"POST", "/batch_events", "", "{\"batch\":[]}", 400},
        {"POST", "/users/a%0ab/terminate_connections", "", "{}", 400},
        {"GET", "/channels/room", "", "", 200},
    };
    scenario_start(&scenario, 1, FLAGS("--shards", "2"));
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *request = api_request(rows[i].method, rows[i].path, rows[i].query, rows[i].body);
        fake_write(backend->client->socket, request, strlen(request));
        free(request);
        scenario_settle(&scenario);
        cr_assert_eq(backend->answers_count, i + 1, "%s %s", rows[i].path, rows[i].body);
        cr_expect_eq(backend->answers[i].status, rows[i].status, "%s %s: %u %s", rows[i].path, rows[i].body,
                     backend->answers[i].status, backend->answers[i].body);
        cr_assert_not(fake_is_at_end(backend->client->socket), "%s %s", rows[i].path, rows[i].body);
    }
    scenario_stop(&scenario);
}

/* ---- the end ---- */

Test(api_scenario, an_answer_that_was_made_goes_out_also_when_the_server_stops, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "2", seed % 2 ? "--drain-reconnect" : NULL));
        struct channel_client *client = join(0);
        for (uint32_t i = 0; i < 50; i++) {
            char channel[40];
            snprintf(channel, sizeof channel, "room-%u", i);
            channel_client_subscribe(client, channel);
        }
        struct api_client *backend = api_client_join(&scenario, 0, 100); /* its answer does not fit */
        backend->client->is_reading = false;
        scenario_settle(&scenario);
        api_client_get(backend, "/channels", "");
        scenario_settle(&scenario);
        server_set_stage(&scenario.server, SERVER_STOPPING);
        for (uint32_t left = 20; left > 0; left--) {
            scenario_step(&scenario, 0);
        }
        backend->client->is_reading = true;
        while (!server_has_ended(&scenario.server)) {
            scenario_step(&scenario, 50);
        }
        client_read(backend->client);
        cr_assert_eq(backend->answers_count, 1, "seed %lu", seed);
        api_client_last(backend, 200);
        scenario_stop(&scenario);
    }
}

Test(api_scenario, a_call_under_way_is_answered_also_when_the_server_stops, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 12; seed++) {
        start(seed, "2048");
        struct api_client *backends[8];
        char *body = hundred_channels("");
        for (uint32_t i = 0; i < 8; i++) {
            backends[i] = call_from(i, SEND_BUFFER);
        }
        scenario_settle(&scenario);
        uint64_t before = scenario_counter(&scenario, COUNTER_http_requests);
        for (uint32_t i = 0; i < 8; i++) {
            api_client_post(backends[i], "/events", body);
        }
        while (scenario_counter(&scenario, COUNTER_http_requests) < before + 8) {
            scenario_step(&scenario, 0);
        }
        server_set_stage(&scenario.server, SERVER_STOPPING);
        while (!server_has_ended(&scenario.server)) {
            scenario_step(&scenario, 50);
        }
        for (uint32_t i = 0; i < 8; i++) {
            client_read(backends[i]->client);
            cr_assert_eq(backends[i]->answers_count, 1, "backend %u, seed %lu", i, seed);
            cr_expect_str_eq(api_client_last(backends[i], 200), "{}");
        }
        free(body);
        scenario_stop(&scenario);
    }
}
