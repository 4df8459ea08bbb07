/* tests/server/scenario/test_pusher_scenario.c - what clients of all makes send, and what they make of an answer, a row
 * for each, on a whole server with a fake kernel.
 *
 * Method: that of tests/server/scenario/test_channels.c. */
#include "tests/support/channel_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>


static struct scenario scenario;

static struct channel_client *join(uint32_t shard)
{
    return channel_client_enter(&scenario, shard);
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
        {"{\"event\":\"pusher:subscribe\",\"data\":{\"channel\":\"two\",\"auth\":7,\"channel_data\":{}}}",
         "pusher_internal:subscription_succeeded"},
        {"{\"event\":\"pusher:subscribe\",\"data\":\"{\\\"channel\\\":\\\"three\\\"}\"}",
         "pusher_internal:subscription_succeeded"},
        {"{\"event\":\"pusher:unsubscribe\",\"channel\":{},\"data\":{\"channel\":\"one\",\"auth\":1}}", NULL},
    };
    static const char *const channels[] = {"one", "two", "three", NULL};
    scenario_start(&scenario, 3, CHANNEL_FLAGS("", "--shards", "2"));
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
    scenario_start(&scenario, 4, CHANNEL_FLAGS("", "--shards", "2"));
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

/* ---- what is said last ---- */

/* Goal: what was asked before the close frame is answered before the close, wherever the home is. */
Test(pusher_scenario, who_closes_at_once_hears_its_acks_and_its_echo_first, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 18; seed++) {
        char channel[64], room[64];
        scenario_start(&scenario, seed, CHANNEL_FLAGS("", "--shards", "3", "--lobby-echo"));
        channel_name(&scenario, "private-", (uint32_t)seed % 3, 0, channel);
        const char *public = channel_name(&scenario, "room-", (uint32_t)(seed + 1) % 3, 0, room);
        struct channel_client *client = join(0);
        channel_client_subscribe(client, channel);
        channel_client_subscribe(client, public);
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 5; i++) {
            char id[8];
            snprintf(id, sizeof id, "%u", i);
            channel_client_publish(client, channel, "client-a", "1", id);
            channel_client_say(client,
                               "{\"event\":\"pusher:ringcast_publish\",\"data\":{\"channel\":\"%s\",\"data\":\"x\"}}",
                               public);
        }
        channel_client_ask_page(client, channel, "\"since\":0", 10, 1);
        if (seed % 2) {
            client_close(client->client, 1000);
        } else {
            client_frame(client->client, 3, "", 0);
        }
        scenario_settle(&scenario);
        cr_expect_eq(client->client->code, seed % 2 ? 1000 : 1002);
        cr_expect_eq(channel_client_count(client, "pusher_internal:ringcast_ack", NULL), 5, "seed %lu", seed);
        cr_expect_eq(channel_client_count(client, "message", public), 5, "seed %lu", seed);
        cr_expect_eq(channel_client_count(client, "pusher_internal:ringcast_history", NULL), 1, "seed %lu", seed);
        scenario_stop(&scenario);
    }
}

/* ---- what is refused ---- */

#define TEN_X     "xxxxxxxxxx"
#define HUNDRED_X TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X
#define SUBSCRIBE "{\"event\":\"pusher:subscribe\",\"data\":"

/* Goal: whoever looks at the channel finds the refusal there, and whoever looks at the connection finds an error that
 * does not make it leave: one without a code. */
Test(pusher_scenario, a_refused_subscription_is_told_to_its_channel_and_to_the_connection_without_a_code,
     .timeout = 60)
{
    static const struct {
        const char *text, *channel, *refusal; /* the latter as it begins, up to the sentence, and ends */
        const char *status;
    } rows[] = {
        {SUBSCRIBE "{\"channel\":\"private-a\"}}", "private-a", "{\"type\":\"AuthError\",\"error\":\"Auth info",
         "401"},
        {SUBSCRIBE "{\"channel\":\"private-a\",\"auth\":\"rc-key:00\"}}", "private-a",
         "{\"type\":\"AuthError\",\"error\":\"Invalid signature", "401"},
        {SUBSCRIBE "{\"channel\":\"private-a\",\"auth\":\"another:00\"}}", "private-a",
         "{\"type\":\"AuthError\",\"error\":\"Invalid key", "401"},
        {SUBSCRIBE "{\"channel\":\"private-a\",\"auth\":7}}", "private-a",
         "{\"type\":\"AuthError\",\"error\":\"auth and channel_data have to be strings", "401"},
        {SUBSCRIBE "{\"channel\":\"presence-a\",\"auth\":\"\",\"channel_data\":{}}}", "presence-a",
         "{\"type\":\"AuthError\",\"error\":\"auth and channel_data have to be strings", "401"},
        {SUBSCRIBE "{\"channel\":\"#server-to-user-a\"}}", "#server-to-user-a",
         "{\"type\":\"AuthError\",\"error\":\"Sign in", "401"},
        {SUBSCRIBE "{\"channel\":\"room\",\"recover\":7}}", "room",
         "{\"type\":\"BadRequest\",\"error\":\"recover has to be", "400"},
        {SUBSCRIBE "{\"channel\":\"price:a\"}}", "price:a",
         "{\"type\":\"BadRequest\",\"error\":\"Invalid channel name", "400"},
        {SUBSCRIBE "{\"channel\":\"\"}}", "", "{\"type\":\"BadRequest\",\"error\":\"Invalid channel name", "400"},
        {SUBSCRIBE "{\"channel\":\"x" HUNDRED_X HUNDRED_X "\"}}", "x" HUNDRED_X HUNDRED_X,
         "{\"type\":\"BadRequest\",\"error\":\"Invalid channel name", "400"},
        {SUBSCRIBE "{\"channel\":\"caf\u00e9 \\\"\\\\\\n\\u0001\"}}", "caf\u00e9 \"\\\n\001",
         "{\"type\":\"BadRequest\",\"error\":\"Invalid channel name", "400"},
    };
    scenario_start(&scenario, 1, CHANNEL_FLAGS("", "--shards", "2"));
    struct channel_client *client = join(0);
    for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char end[32];
        channel_client_say(client, "%s", rows[i].text);
        scenario_settle(&scenario);
        cr_assert_eq(client->heard_count, 1 + 2 * (i + 1), "%s", rows[i].text);
        const struct heard_event *refusal = &client->heard[1 + 2 * i], *error = &client->heard[2 + 2 * i];
        cr_expect_str_eq(refusal->event, "pusher:subscription_error", "%s", rows[i].text);
        cr_expect_str_eq(refusal->channel, rows[i].channel);
        cr_expect_eq(strncmp(refusal->data, rows[i].refusal, strlen(rows[i].refusal)), 0, "%s", refusal->data);
        snprintf(end, sizeof end, "\",\"status\":%s}", rows[i].status);
        cr_expect_str_eq(refusal->data + strlen(refusal->data) - strlen(end), end, "%s", refusal->data);
        cr_expect_str_eq(error->event, "pusher:error");
        cr_expect_eq(error->code, CHANNEL_CODE_NULL, "%s: %d", rows[i].text, error->code);
    }
    cr_expect(channel_client_is_here(client));
    scenario_stop(&scenario);
}

/* Goal: what is over a limit is told as such, not as a failed authorisation. */
Test(pusher_scenario, a_subscription_beyond_a_limit_is_told_which, .timeout = 60)
{
    static const char large[] = "{\"user_id\":\"ben\",\"user_info\":\"" HUNDRED_X "\"}";
    static const char *const channels[] = {"one", "two", "three", "four", NULL};
    scenario_start(&scenario, 2, CHANNEL_FLAGS("members_max=1 member_bytes_max=100 channels_max=3", "--shards", "2"));
    struct channel_client *ann = join(0), *ben = join(1);
    channel_client_subscribe_as(ann, "presence-a", "ann");
    scenario_settle(&scenario);
    channel_client_subscribe_as(ben, "presence-a", "ben");
    scenario_settle(&scenario);
    channel_client_subscribe_with(ben, "presence-b", large);
    for (const char *const *channel = channels; *channel != NULL; channel++) {
        channel_client_subscribe(ben, *channel);
    }
    channel_client_unsubscribe(ben, "one");
    channel_client_subscribe(ben, "two-more");
    channel_client_unsubscribe(ben, "two-more");
    channel_client_subscribe(ben, "one-too-many");
    scenario_settle(&scenario);
    static const struct {
        const char *channel, *data;
    } rows[] = {
        {"presence-a", "{\"type\":\"LimitReached\",\"error\":\"The channel has as many members as the app permits "
                       "(members_max)\",\"status\":4100}"},
        {"presence-b", "{\"type\":\"LimitReached\",\"error\":\"user_info is larger than the app permits "
                       "(member_bytes_max)\",\"status\":4301}"},
        {"four", "{\"type\":\"LimitReached\",\"error\":\"The connection subscribes to as many channels as the app "
                 "permits (channels_max)\",\"status\":4100}"},
        {"one-too-many",
         "{\"type\":\"LimitReached\",\"error\":\"The connection subscribes and unsubscribes too often: "
         "wait ten seconds\",\"status\":4301}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct heard_event *refusal =
            channel_client_heard(ben, "pusher:subscription_error", rows[i].channel, 0);
        cr_assert_not_null(refusal, "%s", rows[i].channel);
        cr_expect_str_eq(refusal->data, rows[i].data);
    }
    uint32_t errors = channel_client_count(ben, "pusher:error", NULL);
    cr_expect_eq(errors, channel_client_count(ben, "pusher:subscription_error", NULL));
    for (uint32_t i = 0; i < errors; i++) {
        cr_expect_eq(channel_client_heard(ben, "pusher:error", NULL, i)->code, CHANNEL_CODE_NULL);
    }
    scenario_stop(&scenario);
}

/* Goal: what is told to a whole channel, or costs a home a page, is counted, and forgotten after ten seconds. */
Test(pusher_scenario, who_asks_too_often_is_refused_for_ten_seconds, .timeout = 60)
{
    enum { CHANNELS_MAX = 3, ASKED_MAX = 2 * CHANNELS_MAX };
    scenario_start(&scenario, 5, CHANNEL_FLAGS("channels_max=3", "--shards", "2"));
    struct channel_client *client = join(0), *reader = join(1);
    for (uint32_t window = 0; window < 3; window++) {
        for (uint32_t i = 0; i <= ASKED_MAX; i++) {
            uint32_t refused = channel_client_count(client, "pusher:subscription_error", "room");
            channel_client_subscribe(client, "room");
            scenario_settle(&scenario);
            cr_expect_eq(channel_client_is_in(client, "room"), i < ASKED_MAX, "the %uth, window %u", i + 1, window);
            refused = channel_client_count(client, "pusher:subscription_error", "room") - refused;
            cr_expect_eq(refused, i == ASKED_MAX, "the %uth, window %u", i + 1, window);
            if (i < ASKED_MAX) channel_client_unsubscribe(client, "room");
        }
        scenario_pass(&scenario, 10000);
    }
    channel_client_subscribe(reader, "room");
    scenario_settle(&scenario);
    for (uint32_t i = 0; i <= ASKED_MAX; i++) {
        channel_client_ask_page(reader, "room", "\"since\":0", 10, i);
        scenario_settle(&scenario);
        const struct heard_event *answer = channel_client_heard(reader, "pusher_internal:ringcast_history", NULL, i);
        cr_assert_not_null(answer);
        bool is_refused = strstr(answer->data, "too") != NULL && strstr(answer->data, "often") != NULL;
        cr_expect_eq(is_refused, i >= ASKED_MAX - 1, "%u: %s", i, answer->data);
    }
    scenario_stop(&scenario);
}

/* ---- what is asked last ---- */

/* Whoever asks and closes in the next breath hears the answers first, wherever the homes are: to subscriptions that are
 * granted and refused, and to a sign-in with what it brings along. */
Test(pusher_scenario, what_was_asked_before_the_close_frame_is_answered_first, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 16; seed++) {
        char shards[8], name[64];
        uint32_t count = 1 + (uint32_t)seed % 4;
        snprintf(shards, sizeof shards, "%u", count);
        scenario_start(&scenario, seed, CHANNEL_FLAGS("watchlist=yes members_max=1", "--shards", shards));
        struct channel_client *first = join(0);
        channel_client_subscribe_as(first, "presence-full", "ann");
        scenario_settle(&scenario);
        struct channel_client *client = join((uint32_t)(seed / 4) % count);
        for (uint32_t home = 0; home < count; home++) {
            channel_client_subscribe(client, channel_name(&scenario, "room-", home, 0, name));
            channel_client_subscribe_as(client, channel_name(&scenario, "presence-", home, 0, name), "bob");
        }
        channel_client_subscribe_as(client, "presence-full", "bob");
        channel_client_sign_in(client, "bob", "[\"ann\",\"eve\"]");
        client_close(client->client, 1000);
        scenario_settle(&scenario);
        for (uint32_t home = 0; home < count; home++) {
            cr_expect(channel_client_is_in(client, channel_name(&scenario, "room-", home, 0, name)), "seed %lu",
                      seed);
            channel_name(&scenario, "presence-", home, 0, name);
            cr_expect(channel_client_is_in(client, name), "seed %lu", seed);
        }
        cr_expect_eq(channel_client_count(client, "pusher:subscription_error", "presence-full"), 1, "seed %lu", seed);
        cr_expect_eq(channel_client_count(client, "pusher:error", NULL), 1, "seed %lu", seed);
        cr_expect_eq(channel_client_count(client, "pusher:signin_success", NULL), 1, "seed %lu", seed);
        cr_expect_eq(channel_client_count(client, "pusher_internal:watchlist_events", NULL), 1, "seed %lu", seed);
        cr_expect_eq(client->client->code, 1000, "seed %lu", seed);
        scenario_stop(&scenario);
    }
}
