/* tests/server/scenario/test_flush.c - the end of a turn on a whole server with a fake kernel: closing one reader tells
 * others, and nobody's outbox changes while its send is queued.
 *
 * Method: that of tests/server/scenario/test_channels.c. The fake kernel refuses a second send to a slot in one submit;
 * that the members hear of each other's end in order is asserted by the clients themselves. */
#include "server/shard/crowd.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define FLAGS(...)   CHANNEL_FLAGS("event_bytes_max=64KiB", __VA_ARGS__)
#define SEND_BUFFER  65536
#define SMALL_BUFFER 4096
#define STUCK_MAX    12

static struct scenario scenario;
static struct channel_client *stuck[STUCK_MAX];

static void publish(struct api_client *backend, const char *channel, size_t bytes)
{
    static char data[64 * 1024];
    memset(data, 'x', bytes);
    data[bytes] = '\0';
    api_client_publish(backend, channel, "ev", data);
    scenario_settle(&scenario);
}

/* Members who will not read what comes after this. */
static void join_stuck(uint32_t count, uint32_t shards, const char *channel)
{
    for (uint32_t i = 0; i < count; i++) {
        char user_id[16];
        snprintf(user_id, sizeof user_id, "stuck%u", i);
        stuck[i] = channel_client_join(&scenario, i % shards, CHANNEL_APP_KEY, SMALL_BUFFER);
        scenario_settle(&scenario);
        channel_client_subscribe_as(stuck[i], channel, user_id);
    }
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(channel_client_is_in(stuck[i], channel));
        stuck[i]->client->is_reading = false;
    }
}

static void expect_all_stuck_closed(const struct channel_client *reader, uint32_t count, const char *channel)
{
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SLOW_READER)), count);
    cr_expect_eq(channel_client_count(reader, "pusher_internal:member_removed", channel), count);
}

/* ---- tests ---- */

Test(flush, several_slow_members_are_closed_in_one_flush, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        for (uint32_t way = 0; way < 4; way++) {
            uint32_t shards = 1 + way / 2;
            scenario_start(&scenario, seed,
                           FLAGS("--shards", shards == 1 ? "1" : "2", "--coalesce-ms", way % 2 ? "1ms" : "0",
                                 "--outbox-bytes-max", "64KiB", "--message-bytes-max", "16KiB", "--close-ms-max",
                                 "1s"));
            struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
            struct channel_client *reader = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
            scenario_settle(&scenario);
            channel_client_subscribe_as(reader, "presence-room", "reader");
            join_stuck(2 + (uint32_t)seed, shards, "presence-room");
            for (uint32_t i = 0; i < 20; i++) {
                publish(backend, "presence-room", 10000);
            }
            scenario_pass(&scenario, 2000);
            cr_expect_eq(channel_client_count(reader, "ev", "presence-room"), 20);
            expect_all_stuck_closed(reader, 2 + (uint32_t)seed, "presence-room");
            scenario_stop(&scenario);
        }
    }
}

/* A crowd is flushed in chunks; those of it who are closed tell another crowd of the same readers, who stand in the
 * same chunk and in others. */
Test(flush, slow_members_in_a_crowd_tell_another_crowd_of_the_same_readers, .timeout = 120)
{
    enum { CROWD = 620 };
    for (uint32_t way = 0; way < 2; way++) {
        scenario_start(&scenario, 1,
                       FLAGS("--shards", "1", "--connections-max", "700", "--ping-ms", "1h", "--coalesce-ms",
                             way ? "1ms" : "0", "--outbox-bytes-max", "16KiB", "--message-bytes-max", "8KiB",
                             "--close-ms-max", "1s"));
        static struct channel_client *crowd[CROWD];
        for (uint32_t i = 0; i < CROWD; i++) {
            crowd[i] = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
            scenario_settle(&scenario);
            channel_client_subscribe(crowd[i], "news");
        }
        for (uint32_t i = CROWD; i-- > 0;) { /* in another order, so that who is told first is flushed last */
            char user_id[16];
            snprintf(user_id, sizeof user_id, "u%u", i % 8);
            channel_client_subscribe_as(crowd[i], "presence-all", user_id);
            scenario_settle(&scenario);
        }
        join_stuck(STUCK_MAX, 1, "presence-all");
        for (uint32_t i = 0; i < STUCK_MAX; i++) {
            channel_client_subscribe(stuck[i], "news");
        }
        struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 30; i++) {
            publish(backend, "news", 2000);
        }
        scenario_pass(&scenario, 2000);
        for (uint32_t i = 0; i < CROWD; i++) {
            cr_assert_eq(channel_client_count(crowd[i], "ev", "news"), 30, "reader %u", i);
            expect_all_stuck_closed(crowd[i], STUCK_MAX, "presence-all");
        }
        scenario_stop(&scenario);
    }
}

/* ---- what takes long ---- */

/* Goal: one who is not concerned does not wait for what takes long, so no turn takes long. Method: each byte that is
 * sent takes its time, and a turn with 10 MB in it would be one of more than 20 ms. */
Test(flush, a_long_message_to_a_few_hundred_is_sent_in_several_turns, .timeout = 60)
{
    enum { READERS = 200 };
    static struct channel_client *readers[READERS];
    scenario_start(&scenario, 1, FLAGS("--shards", "1"));
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    for (uint32_t i = 0; i < READERS; i++) {
        readers[i] = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
    }
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < READERS; i++) {
        channel_client_subscribe(readers[i], "news");
    }
    scenario_settle(&scenario);
    fake_sends_take(3);
    uint64_t over_before = scenario_counter(&scenario, COUNTER_turns_over_20ms);
    publish(backend, "news", 48 * 1024);
    for (uint32_t i = 0; i < READERS; i++) {
        cr_expect_eq(channel_client_count(readers[i], "ev", "news"), 1);
    }
    cr_expect_eq(scenario_counter(&scenario, COUNTER_turns_over_20ms), over_before);
    scenario_stop(&scenario);
}

/* The same of long answers: all join at once, and each gets the list of all. */
Test(flush, lists_of_members_for_many_who_join_at_once_are_sent_in_several_turns, .timeout = 60)
{
    enum { MEMBERS = 60 };
    static struct channel_client *members[MEMBERS];
    char channel_data[2200], user_info[2000];
    memset(user_info, 'i', sizeof user_info - 1);
    user_info[sizeof user_info - 1] = '\0';
    scenario_start(&scenario, 1, FLAGS("--shards", "1"));
    for (uint32_t i = 0; i < MEMBERS; i++) {
        members[i] = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
    }
    scenario_settle(&scenario);
    fake_sends_take(8);
    uint64_t over_before = scenario_counter(&scenario, COUNTER_turns_over_20ms);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        snprintf(channel_data, sizeof channel_data, "{\"user_id\":\"m%u\",\"user_info\":\"%s\"}", i, user_info);
        channel_client_subscribe_with(members[i], "presence-all", channel_data);
    }
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        cr_expect(channel_client_is_in(members[i], "presence-all"));
    }
    cr_expect_eq(scenario_counter(&scenario, COUNTER_turns_over_20ms), over_before);
    scenario_stop(&scenario);
}

/* ---- more than can be sent ---- */

/* Goal: what a few publish faster than a crowd can be told waits in their sockets, not here; what goes to a few passes,
 * nobody is closed, and nothing is lost. Method: a message takes 40 ms to reach all. */
Test(flush, who_publishes_faster_than_a_crowd_can_be_served_waits, .timeout = 60)
{
    enum { READERS = 512, PUBLISHERS = 4, MESSAGES = 120, BYTES = 2000 };
    static const uint64_t all_bytes = (uint64_t)READERS * PUBLISHERS * MESSAGES * BYTES;
    static struct client *readers[READERS], *publishers[PUBLISHERS];
    uint64_t most = 0;
    scenario_start(&scenario, 1, FLAGS("--shards", "1", "--connections-max", "600"));
    for (uint32_t i = 0; i < READERS; i++) {
        readers[i] = client_join(&scenario, 0, "/room/all", SEND_BUFFER);
        if (i % 100 == 0) scenario_settle(&scenario);
    }
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        publishers[i] = client_join(&scenario, 0, "/room/all", SEND_BUFFER);
    }
    struct client *one = client_join(&scenario, 0, "/room/few", SEND_BUFFER);
    struct client *other = client_join(&scenario, 0, "/room/few", SEND_BUFFER);
    scenario_settle(&scenario);
    fake_sends_take(40);
    for (uint32_t i = 0; i < PUBLISHERS * MESSAGES; i++) {
        client_say(publishers[i % PUBLISHERS], BYTES);
    }
    uint32_t passed = 0;
    uint64_t paused = 0;
    while (scenario_step(&scenario, 50)) {
        uint64_t waiting = scenario_counter(&scenario, COUNTER_outbox_bytes);
        if (waiting > most) most = waiting;
        if (other->heard_count < one->said || scenario_counter(&scenario, COUNTER_receives_paused) == paused)
            continue;
        paused = scenario_counter(&scenario, COUNTER_receives_paused);
        if (readers[0]->heard_count < PUBLISHERS * MESSAGES) passed++;
        client_say(one, 0);
    }
    client_check_heard_all(readers[0], publishers, PUBLISHERS);
    client_check_heard_all(readers[READERS - 1], publishers, PUBLISHERS);
    client_check_heard_all(other, &one, 1);
    cr_expect_gt(scenario_counter(&scenario, COUNTER_crowds_late), 0);
    cr_expect_gt(passed, 1);
    cr_expect_lt(most, all_bytes / 4);
    scenario_stop(&scenario);
}

/* Goal: the same where there is no crowd: what each turn takes in is more than it can send. Method: 375 MB in all. */
Test(flush, who_publishes_more_than_can_be_sent_to_a_few_waits_too, .timeout = 60)
{
    enum { CLIENTS = 40, MESSAGES = 60, BYTES = 4000 };
    static struct client *clients[CLIENTS];
    uint64_t most = 0;
    scenario_start(&scenario, 1, FLAGS("--shards", "1", "--outbox-bytes-max", "64MiB"));
    for (uint32_t i = 0; i < CLIENTS; i++) {
        clients[i] = client_join(&scenario, 0, "/room/few", 1024 * 1024);
    }
    scenario_settle(&scenario);
    fake_sends_take(100);
    for (uint32_t i = 0; i < CLIENTS * MESSAGES; i++) {
        client_say(clients[i % CLIENTS], BYTES);
    }
    while (scenario_step(&scenario, 50)) {
        uint64_t waiting = scenario_counter(&scenario, COUNTER_outbox_bytes);
        if (waiting > most) most = waiting;
    }
    cr_expect_eq(scenario_counter(&scenario, COUNTER_messages_delivered),
                 (uint64_t)CLIENTS * (CLIENTS - 1) * MESSAGES);
    cr_expect_gt(scenario_counter(&scenario, COUNTER_crowds_late), 0);
    cr_expect_lt(most, 2 * CROWD_LEFT_BYTES_MAX);
    scenario_stop(&scenario);
}
