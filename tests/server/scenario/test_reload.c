/* tests/server/scenario/test_reload.c - another configuration for a whole server on a fake kernel: who stays, who is
 * closed, and that shards which have taken it get along with those that have not.
 *
 * Method: that of tests/server/scenario/test_channels.c. The seed decides in which order shards take it. */
#include "server/config/config.h"
#include "server/config/options_follow.h"
#include "server/config/options_read.h"
#include "server/connection/connection_state.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define SEND_BUFFER 65536
#define FLAGS_MAX   32
#define GONE        "1002:gone:s"
#define NEWCOMER    "1003:newcomer:s"
#define FLAGS(...)  ((const char *const[]){__VA_ARGS__, NULL})

static struct scenario scenario;
static struct options_given given;

static struct options *read_flags(const char *const flags[])
{
    char reason[OPTIONS_ERROR_BYTES];
    const char *argv[FLAGS_MAX] = {"ringcast", "--listen", "127.0.0.1:0", "--connections-max", "280"};
    int argc = 5;
    for (; *flags != NULL; flags++)
        argv[argc++] = *flags;
    struct options *options = malloc(sizeof *options);
    cr_assert_eq(options_read(options, argc, (char *const *)argv, NULL, reason, sizeof reason), RC_OK, "%s", reason);
    return options;
}

static void start(uint64_t seed, const char *const flags[])
{
    struct options *options = read_flags(flags);
    cr_assert_eq(options_given_note(&given, options), RC_OK);
    options_fini(options);
    free(options);
    scenario_start(&scenario, seed, flags);
}

static void stop(void)
{
    options_given_fini(&given);
    scenario_stop(&scenario);
}

/* Publishes what these flags say; no shard has taken it yet. */
static void reload(const char *const flags[])
{
    char reason[OPTIONS_ERROR_BYTES];
    struct follow follow;
    struct options *options = read_flags(flags);
    cr_assert_eq(options_follow(options, scenario.server.config->options, &given, &follow, reason, sizeof reason),
                 RC_OK, "%s", reason);
    cr_assert_eq(server_take_options(&scenario.server, options, follow.has_other_patterns, follow.shuts_apps, reason,
                                     sizeof reason),
                 RC_OK, "%s", reason);
    changes_fini(&follow.changes);
}

static void reload_and_settle(const char *const flags[])
{
    reload(flags);
    while (!server_config_settled(&scenario.server))
        scenario_step(&scenario, 50);
    scenario_settle(&scenario);
}

/* ---- apps ---- */

Test(reload, clients_of_an_app_that_is_gone_are_closed_and_a_new_one_is_there_on_all_shards, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct channel_client *stays[3], *goes[3], *comes[12];
        start(seed, FLAGS("--shards", "3", "--app", CHANNEL_APP, "--app", GONE));
        for (uint32_t i = 0; i < 3; i++) {
            stays[i] = channel_client_enter(&scenario, i);
            goes[i] = channel_client_join(&scenario, i, "/app/gone", SEND_BUFFER);
            channel_client_subscribe(stays[i], "room");
            channel_client_subscribe(goes[i], "room");
        }
        scenario_settle(&scenario);
        reload(FLAGS("--app", CHANNEL_APP, "--app", NEWCOMER, "--shards", "3"));
        for (uint32_t i = 0; i < 12; i++) {
            char name[64];
            comes[i] = channel_client_join(&scenario, i % 3, "/app/newcomer", SEND_BUFFER);
            channel_client_subscribe(comes[i], channel_name(&scenario, "n", (i + 1) % 3, 0, name));
            scenario_step(&scenario, 1);
        }
        scenario_settle(&scenario);
        cr_assert(server_config_settled(&scenario.server));
        for (uint32_t i = 0; i < 3; i++) {
            cr_expect_eq(goes[i]->client->code, 4100, "seed %lu: %u", seed, goes[i]->client->code);
            cr_expect(channel_client_is_here(stays[i]));
        }
        cr_expect_eq(scenario.server.app_connections[0], 3);
        cr_expect_eq(scenario.server.app_connections[1], 0);
        for (uint32_t i = 0; i < 12; i++) /* who came before its shard had taken it was told that there is none */
            cr_expect(comes[i]->client->code == 4001 || channel_client_is_here(comes[i]));
        struct channel_client *late = channel_client_join(&scenario, 0, "/app/gone", SEND_BUFFER);
        struct channel_client *back = channel_client_join(&scenario, 1, "/app/newcomer", SEND_BUFFER);
        struct api_client *backend = api_client_join(&scenario, 2, SEND_BUFFER);
        channel_client_subscribe(back, "room");
        api_client_publish(backend, "room", "news", "1");
        scenario_settle(&scenario);
        cr_expect_eq(late->client->code, 4001);
        cr_expect(channel_client_is_in(back, "room"));
        cr_expect_eq(channel_client_count(back, "news", "room"), 0, "another app's channel");
        for (uint32_t i = 0; i < 3; i++)
            cr_expect_eq(channel_client_count(stays[i], "news", "room"), 1);
        stop();
    }
}

Test(reload, those_of_an_app_that_is_switched_off_are_closed_for_good, .timeout = 60)
{
    start(1, FLAGS("--shards", "2", "--app", CHANNEL_APP, "--app", GONE));
    struct channel_client *stays = channel_client_enter(&scenario, 0);
    struct channel_client *goes = channel_client_join(&scenario, 1, "/app/gone", SEND_BUFFER);
    struct client *room = client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    reload_and_settle(FLAGS("--app", CHANNEL_APP, "--app", GONE " enabled=no"));
    cr_expect_eq(goes->client->code, 4003);
    cr_expect(channel_client_is_here(stays));
    reload_and_settle(FLAGS("--app", CHANNEL_APP " enabled=no", "--app", GONE));
    cr_expect_eq(stays->client->code, 4003);
    cr_expect_eq(room->code, 4003, "rooms are the first app's");
    stop();
}

static uint32_t count_open(void)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < scenario.server.shards[0].slots_used; i++)
        count += scenario.server.shards[0].connections[i].state == CONNECTION_OPEN;
    return count;
}

Test(reload, a_crowd_is_not_closed_in_one_turn, .timeout = 60)
{
    start(1, FLAGS("--shards", "1", "--app", CHANNEL_APP, "--app", GONE));
    for (uint32_t i = 0; i < 250; i++)
        channel_client_join(&scenario, 0, "/app/gone", SEND_BUFFER);
    scenario_settle(&scenario);
    reload(FLAGS("--app", CHANNEL_APP));
    for (uint32_t open = 250; open > 0;) {
        uint64_t turns = scenario_counter(&scenario, COUNTER_turns);
        scenario_step(&scenario, 1);
        turns = scenario_counter(&scenario, COUNTER_turns) - turns;
        cr_expect_leq(open - count_open(), 64 * turns);
        open = count_open();
    }
    stop();
}

Test(reload, limits_and_secrets_hold_for_who_is_there, .timeout = 60)
{
    start(1, FLAGS("--shards", "2", "--app", CHANNEL_APP " event_bytes_max=100 channels_max=1", "--replay-bytes-max",
                   "2KiB"));
    struct channel_client *client = channel_client_enter(&scenario, 0);
    channel_client_subscribe(client, "private-a");
    channel_client_subscribe(client, "private-b");
    scenario_settle(&scenario);
    cr_expect(channel_client_is_in(client, "private-a"));
    cr_expect_not(channel_client_is_in(client, "private-b"));
    reload_and_settle(FLAGS("--app", "1001:rc-key:other previous_secret=" CHANNEL_APP_SECRET " channels_max=3"));
    channel_client_subscribe(client, "private-c"); /* with the secret that is the previous one now */
    scenario_settle(&scenario);
    cr_expect(channel_client_is_in(client, "private-c"));
    reload_and_settle(FLAGS("--app", "1001:rc-key:other channels_max=3"));
    channel_client_subscribe(client, "private-d");
    scenario_settle(&scenario);
    cr_expect_not(channel_client_is_in(client, "private-d"));
    cr_expect(channel_client_is_here(client));
    for (uint32_t i = 0; i < scenario.server.shards_count; i++)
        cr_expect_eq(scenario.server.shards[i].options->replay_bytes_max, 1 * MIB);
    stop();
}

/* ---- history ---- */

static struct position position_of(struct channel_client *client, const char *channel)
{
    const struct place *place = channel_client_place(client, channel);
    cr_assert(place != NULL);
    return place->position;
}

static bool is_recovered(const char *channel, const struct position *from)
{
    struct channel_client *client = channel_client_enter(&scenario, 1);
    channel_client_recover(client, channel, NULL, from);
    scenario_settle(&scenario);
    cr_assert(channel_client_is_in(client, channel));
    return channel_client_place(client, channel)->is_recovered;
}

/* Channels that keep nothing for a while leave no trace of what they missed. */
Test(reload, nobody_is_told_that_nothing_was_missed_over_a_time_without_history, .timeout = 120)
{
    static const char *const with[] = {"--app", CHANNEL_APP, "--history", "kept* ttl=1h", "--shards", "2", NULL};
    static const char *const without[] = {"--app", CHANNEL_APP, "--shards", "2", NULL};
    for (uint64_t seed = 1; seed <= 10; seed++) {
        start(seed, with);
        struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
        struct channel_client *used = channel_client_enter(&scenario, 0),
                              *unused = channel_client_enter(&scenario, 1);
        static const struct position unset;
        channel_client_recover(used, "kept-a", NULL, &unset);
        channel_client_recover(unused, "kept-b", NULL, &unset);
        scenario_settle(&scenario);
        api_client_publish(backend, "kept-a", "news", "1");
        scenario_settle(&scenario);
        struct position of_used = position_of(used, "kept-a"), of_unused = position_of(unused, "kept-b");
        cr_assert(position_is_set(&of_used) && position_is_set(&of_unused));
        cr_expect(is_recovered("kept-a", &of_used) && is_recovered("kept-b", &of_unused));
        reload_and_settle(without);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_history_logs), 0);
        api_client_publish(backend, "kept-a", "news", "2");
        api_client_publish(backend, "kept-b", "news", "2");
        scenario_settle(&scenario);
        reload_and_settle(with);
        cr_expect_not(is_recovered("kept-a", &of_used));
        cr_expect_not(is_recovered("kept-b", &of_unused));
        stop();
    }
}

Test(reload, a_smaller_history_counts_from_the_next_message_on, .timeout = 60)
{
    start(1, FLAGS("--app", CHANNEL_APP, "--history", "kept* size=100 ttl=1m", "--shards", "2"));
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    for (int i = 0; i < 20; i++)
        api_client_publish(backend, "kept-a", "news", "1");
    scenario_settle(&scenario);
    reload_and_settle(FLAGS("--app", CHANNEL_APP, "--history", "kept* size=5 ttl=1m", "--shards", "2"));
    api_client_publish(backend, "kept-a", "news", "1");
    scenario_settle(&scenario);
    api_client_get(backend, "/channels/kept-a/history", "");
    scenario_settle(&scenario);
    const char *body = api_client_last(backend, 200);
    cr_expect(strstr(body, "\"offset\":17") != NULL && strstr(body, "\"offset\":16") == NULL, "%s", body);
    scenario_pass(&scenario, 120000);
    stop();
}

/* ---- often ---- */

Test(reload, a_thousand_reloads_leave_nothing_behind, .timeout = 240)
{
    start(1, FLAGS("--shards", "2", "--app", CHANNEL_APP, "--app", GONE));
    struct channel_client *client = channel_client_enter(&scenario, 0);
    channel_client_subscribe(client, "room");
    scenario_settle(&scenario);
    struct api_client *backend = api_client_join(&scenario, 1, SEND_BUFFER);
    for (uint32_t i = 0; i < 1000; i++) {
        const char *app = i % 2 == 0 ? NEWCOMER " members_max=5" : GONE " webhook_channel_prefix=x";
        reload(FLAGS("--app", CHANNEL_APP, "--app", app, "--history",
                     i % 3 == 0 ? "a* ttl=1h" : "b* client_events=yes"));
        while (!server_config_settled(&scenario.server))
            scenario_step(&scenario, 5);
    }
    api_client_publish(backend, "room", "news", "1");
    scenario_settle(&scenario);
    cr_expect_eq(scenario.server.config->number, 1001);
    cr_expect_eq(scenario.server.config->options->app.count, 3, "indexes are used again");
    cr_expect_eq(channel_client_count(client, "news", "room"), 1);
    stop();
}
