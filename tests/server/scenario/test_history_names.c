/* tests/server/scenario/test_history_names.c - names of channels that strangers make up: what they cost is counted and
 * bounded, they ask the store nothing, push out no message, and no promise suffers. */
#include "server/home/channel_log.h"
#include "tests/support/api_client.h"
#include "tests/support/channel_client.h"
#include "tests/support/fake_store.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define SEND_BUFFER (1 << 20)
#define NAMES       500
#define BOUND       UINT64_C(65536)

static struct scenario scenario;

static void start(const char *rule, const char *bytes_max)
{
    fake_store_forget();
    scenario_start(&scenario, 1,
                   (const char *const[]){"--app", CHANNEL_APP " channels_max=1000 client_events_per_second=10000",
                                         "--shards", "2", "--data-dir", "/nowhere", "--history-bytes-max", bytes_max,
                                         "--history", rule, NULL});
}

/* When the time of all that was kept is over. */
static void stop(void)
{
    scenario_pass(&scenario, 250000);
    scenario_stop(&scenario);
}

static void subscribe_to(struct channel_client *client, uint32_t first, uint32_t count)
{
    char name[32];
    for (uint32_t i = first; i < first + count; i++) {
        snprintf(name, sizeof name, "name-%u", i);
        channel_client_recover(client, name, NULL, &(struct position){0});
    }
    scenario_settle(&scenario);
}

static struct channel_client *come(void)
{
    struct channel_client *client = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
    scenario_settle(&scenario);
    return client;
}

static void leave(struct channel_client *client)
{
    client_close(client->client, 1000);
    scenario_settle(&scenario);
}

/* Published by a backend, and answered so. */
static void publish(const char *channel, unsigned status)
{
    char body[200];
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    snprintf(body, sizeof body, "{\"name\":\"x\",\"channel\":\"%s\",\"data\":\"1\"}", channel);
    api_client_post(backend, "/events", body);
    scenario_settle(&scenario);
    cr_assert_eq(backend->answers[0].status, status, "%u", backend->answers[0].status);
}

/* Comes back to a channel from where somebody was; was all that was missed there? */
static bool has_recovered(const char *channel, const struct position *from)
{
    struct channel_client *client = come();
    channel_client_recover(client, channel, NULL, from);
    scenario_settle(&scenario);
    cr_assert(channel_client_is_in(client, channel));
    bool is_recovered = channel_client_place(client, channel)->is_recovered;
    leave(client);
    return is_recovered;
}

/* ---- what they cost ---- */

static void expect_no_trace(uint64_t reads_max)
{
    cr_expect_eq(scenario_counter(&scenario, COUNTER_channels), 0);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_history_logs), 0);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_history_bytes), 0);
    uint64_t reads = scenario_counter(&scenario, COUNTER_store_reads);
    cr_expect_leq(reads, reads_max, "the store was asked %lu times", reads);
}

static const char *const rules[] = {"* ttl=100s durable=yes", "* ttl=100s"};

Test(history_names, of_which_nothing_was_ever_said_go_with_their_last_subscriber, .timeout = 60)
{
    for (size_t i = 0; i < 2; i++) {
        start(rules[i], "256MiB");
        struct channel_client *stranger = come();
        subscribe_to(stranger, 0, NAMES);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_history_logs), NAMES);
        cr_expect_gt(scenario_counter(&scenario, COUNTER_history_bytes), NAMES * 500, "they are counted");
        for (uint32_t k = 0; k < NAMES; k++) {
            char name[32];
            snprintf(name, sizeof name, "name-%u", k);
            channel_client_unsubscribe(stranger, name);
        }
        scenario_settle(&scenario);
        expect_no_trace(NAMES / 50);
        leave(stranger);
        stop();
    }
}

Test(history_names, of_rooms_go_too, .timeout = 60)
{
    start("* ttl=100s durable=yes", "256MiB");
    struct client *strangers[100];
    for (uint32_t i = 0; i < 100; i++) {
        char room[64];
        snprintf(room, sizeof room, "/room/name-%u", i);
        strangers[i] = client_join(&scenario, i % 2, room, SEND_BUFFER);
    }
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < 100; i++) {
        client_close(strangers[i], 1000);
    }
    scenario_settle(&scenario);
    expect_no_trace(2);
    stop();
}

/* Those who stay subscribed, and those who were there before: messages are not pushed out by names. */
Test(history_names, without_messages_give_way_to_others_and_messages_do_not, .timeout = 60)
{
    for (size_t i = 0; i < 2; i++) {
        start(rules[i], "64KiB");
        publish("kept", 200);
        struct channel_client *stranger = come();
        subscribe_to(stranger, 0, NAMES);
        cr_expect_leq(scenario_counter(&scenario, COUNTER_history_bytes), 2 * BOUND, "of two shards");
        cr_expect_lt(scenario_counter(&scenario, COUNTER_history_logs), NAMES / 2);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_history_evictions), 0);
        struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
        api_client_get(backend, "/channels/kept/history", "");
        scenario_settle(&scenario);
        cr_expect_not_null(strstr(backend->answers[0].body, "\"offset\":1,\"more\":false"));
        cr_expect_not_null(strstr(backend->answers[0].body, "\"items\":[{\"offset\":1"));
        leave(stranger);
        stop();
    }
}

/* A message that is larger than its channel may keep leaves nothing but the place where it was. */
Test(history_names, whose_messages_are_gone_are_bounded_all_the_same, .timeout = 60)
{
    start("* bytes=1KiB ttl=100s", "64KiB");
    struct channel_client *stranger = come();
    subscribe_to(stranger, 0, NAMES);
    static char data[2000];
    memset(data, 'x', sizeof data - 1);
    for (uint32_t i = 0; i < NAMES; i++) {
        char name[32];
        snprintf(name, sizeof name, "name-%u", i);
        channel_client_say(stranger,
                           "{\"event\":\"pusher:ringcast_publish\",\"data\":{\"channel\":\"%s\",\"data\":\"%s\"}}",
                           name, data);
        if (i % 50 == 0) scenario_settle(&scenario);
    }
    leave(stranger);
    cr_expect_leq(scenario_counter(&scenario, COUNTER_history_bytes), 2 * BOUND);
    cr_expect_leq(scenario_counter(&scenario, COUNTER_channels), NAMES / 2);
    stop();
}

/* ---- what was promised ---- */

Test(history_names, who_comes_back_to_where_nothing_was_said_has_missed_nothing, .timeout = 60)
{
    start("* ttl=1000s durable=yes", "64KiB");
    struct channel_client *reader = come();
    subscribe_to(reader, 0, 1);
    struct position from = channel_client_place(reader, "name-0")->position;
    cr_assert(position_is_set(&from));
    leave(reader);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_history_logs), 0);
    cr_expect(has_recovered("name-0", &from), "the same epoch");
    publish("name-0", 200);
    cr_expect(has_recovered("name-0", &from), "with the message");
    scenario_pass(&scenario, 130000); /* the log has been left to the store */
    cr_expect_eq(scenario_counter(&scenario, COUNTER_history_logs), 0);
    cr_expect(has_recovered("name-0", &from), "from the store");
    cr_expect_not(has_recovered("name-1", &from), "the epoch is that name's");
    stop();
    scenario_start(&scenario, 2,
                   (const char *const[]){"--app", CHANNEL_APP, "--shards", "3", "--data-dir", "/nowhere", "--history",
                                         "* ttl=1000s durable=yes", NULL});
    cr_expect(has_recovered("name-0", &from), "after a restart");
    struct position now = {.offset = 0, .epoch = "zzzzzzzz"};
    cr_expect_not(has_recovered("name-0", &now));
    stop();
}

/* Goal: never "recovered" where something is missing, though the log of a channel that has nothing stored is dropped.
 * Method: a room's message goes out unkept while the store fails; then so many other names come that nothing of it
 * stays in memory. */
Test(history_names, what_went_out_unkept_is_told_though_their_log_was_dropped, .timeout = 60)
{
    for (uint32_t is_unreadable = 0; is_unreadable < 2; is_unreadable++) {
        start("* ttl=100s durable=yes", "64KiB");
        struct channel_client *reader = come();
        subscribe_to(reader, 0, 1);
        struct position from = channel_client_place(reader, "name-0")->position;
        leave(reader);
        fake_store_settings.is_failing = true;
        fake_store_settings.is_unreadable = is_unreadable > 0;
        struct client *speaker = client_join(&scenario, 0, "/room/name-0", SEND_BUFFER);
        scenario_settle(&scenario);
        client_say(speaker, 0);
        scenario_settle(&scenario);
        cr_assert_eq(scenario_counter(&scenario, COUNTER_history_unkept), 1);
        cr_expect_not(has_recovered("name-0", &from), "while it is there");
        client_close(speaker, 1000);
        struct channel_client *stranger = come();
        subscribe_to(stranger, 1, NAMES);
        cr_expect_leq(scenario_counter(&scenario, COUNTER_history_bytes), 2 * BOUND);
        cr_expect_not(has_recovered("name-0", &from), "when it was dropped");
        fake_store_settings.is_failing = fake_store_settings.is_unreadable = false;
        scenario_pass(&scenario, 5000);
        cr_expect_not(has_recovered("name-0", &from), "when the store works again");
        leave(stranger);
        stop();
    }
}

/* Subscribers of a log that was dropped hear on, in the same history. */
Test(history_names, that_gave_way_are_the_same_to_their_subscribers, .timeout = 60)
{
    start("* ttl=100s durable=yes", "64KiB");
    struct channel_client *reader = come();
    subscribe_to(reader, 0, 1);
    publish("name-0", 200);
    struct channel_client *stranger = come();
    for (uint32_t round = 1; round < 4; round++) {
        subscribe_to(stranger, round * 200, 200);
        publish("name-0", 200);
        const struct place *place = channel_client_place(reader, "name-0");
        cr_expect_eq(place->position.offset, round + 1);
        struct position first = place->position;
        first.offset = 0;
        cr_expect(has_recovered("name-0", &first));
    }
    cr_expect_eq(scenario_counter(&scenario, COUNTER_history_unkept), 0);
    leave(stranger);
    leave(reader);
    stop();
}
