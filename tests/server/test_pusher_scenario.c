/* tests/server/test_pusher_scenario.c - what clients of all makes send, and what they make of an answer, a row for
 * each, on a whole server with a fake kernel.
 *
 * Method: that of tests/server/test_channels.c. */
#include "tests/support/channel_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS(settings, ...) \
    ((const char *const[]){"--app", CHANNEL_APP " " settings, __VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536

static struct scenario scenario;

static struct channel_client *join(uint32_t shard)
{
    struct channel_client *client = channel_client_join(&scenario, shard, CHANNEL_APP_KEY, SEND_BUFFER);
    scenario_settle(&scenario);
    cr_assert(channel_client_is_here(client));
    return client;
}

/* ---- what is sent ---- */

/* Clients fill in what nobody reads: an empty string, null, a channel. */
Test(pusher_scenario, what_a_command_does_not_use_is_not_judged, .timeout = 30)
{
    static const struct {
        const char *text;
        const char *answer;
    } rows[] = {
        {"{\"event\":\"pusher:ping\",\"data\":\"\"}", "pusher:pong"},
        {"{\"event\":\"pusher:ping\",\"data\":\"no json\"}", "pusher:pong"},
        {"{\"event\":\"pusher:ping\",\"data\":\"{\"}", "pusher:pong"},
        {"{\"event\":\"pusher:ping\",\"data\":null}", "pusher:pong"},
        {"{\"event\":\"pusher:ping\",\"data\":[1,{}]}", "pusher:pong"},
        {"{\"event\":\"pusher:ping\",\"data\":1,\"data\":2}", "pusher:pong"},
        {"{\"event\":\"pusher:ping\",\"channel\":7,\"data\":{},\"id\":{}}", "pusher:pong"},
        {"{\"event\":\"pusher:ping\",\"channel\":\"a\",\"channel\":\"b\"}", "pusher:pong"},
        {"{\"event\":\"pusher:pong\",\"data\":\"\"}", NULL},
        {"{\"event\":\"pusher:pong\",\"data\":1,\"data\":2,\"channel\":[]}", NULL},
        {"{\"event\":\"pusher:subscribe\",\"channel\":7,\"id\":[],\"data\":{\"channel\":\"one\"}}",
         "pusher_internal:subscription_succeeded"},
        {"{\"event\":\"pusher:subscribe\",\"data\":\"{\\\"channel\\\":\\\"three\\\"}\"}",
         "pusher_internal:subscription_succeeded"},
        {"{\"event\":\"pusher:unsubscribe\",\"channel\":{},\"data\":{\"channel\":\"one\",\"auth\":1}}", NULL},
    };
    static const char *const channels[] = {"one", "two", "three", NULL};
    scenario_start(&scenario, 3, FLAGS("", "--shards", "2"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct channel_client *client = join(0);
        for (const char *const *channel = channels; *channel != NULL; channel++) {
            channel_client_unsubscribe(client, *channel); /* so that a success is no surprise to it */
        }
        channel_client_say(client, "%s", rows[i].text);
        scenario_settle(&scenario);
        cr_expect_eq(client->heard_count, rows[i].answer != NULL ? 2 : 1, "%s", rows[i].text);
        const char *last = client->heard[client->heard_count - 1].event;
        cr_expect_str_eq(last, rows[i].answer != NULL ? rows[i].answer : "pusher:connection_established", "%s: %s",
                         rows[i].text, last);
    }
    scenario_stop(&scenario);
}

Test(pusher_scenario, a_client_event_without_data_is_passed_on_with_null, .timeout = 30)
{
    static const char *const rows[] = {
        "{\"event\":\"client-a\",\"channel\":\"private-b\"}",
        "{\"event\":\"client-a\",\"channel\":\"private-b\",\"data\":null}",
        "{\"event\":\"client-a\",\"channel\":\"private-b\",\"id\":\"x\"}",
    };
    scenario_start(&scenario, 4, FLAGS("", "--shards", "2"));
    struct channel_client *speaker = join(0), *reader = join(1);
    channel_client_subscribe(speaker, "private-b");
    channel_client_subscribe(reader, "private-b");
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        channel_client_say(speaker, "%s", rows[i]);
        scenario_settle(&scenario);
        const struct heard_event *heard = channel_client_heard(reader, "client-a", "private-b", i);
        cr_assert_not_null(heard, "%s", rows[i]);
        cr_expect_str_eq(heard->data, "null", "%s", rows[i]);
    }
    cr_expect_eq(channel_client_count(speaker, "pusher:error", NULL), 0);
    cr_expect_eq(channel_client_count(speaker, "pusher_internal:ringcast_ack", NULL), 1);
    scenario_stop(&scenario);
}
