/* tests/server/scenario/test_throttle.c - a raw connection that publishes faster than it may is not read for a while:
 * it loses nothing, is never closed for it, and nobody else notices. */
#include "core/span.h"
#include "server/connection/connection.h"
#include "server/connection/throttle.h"
#include "tests/support/leaks.h"
#include "tests/support/scenario.h"

#include <criterion/criterion.h>

#define FLAGS(...)  ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536

static struct scenario scenario;

static void run_until_idle(void)
{
    while (scenario_step(&scenario, 0)) {
    }
}

/* Ends it in the middle, with much unread. */
static void hang_up(struct client *client)
{
    fake_reset(client->socket);
    scenario_pass(&scenario, 200000); /* what is held comes first */
}

static struct {
    const char *messages, *bytes;
    uint32_t message_bytes;
    uint32_t at_once; /* what is heard at once, */
    uint32_t later;   /* and within ten seconds more, but for a tick of the timers */
} const cases[] = {
    {"20", "0", 8, 20, 200},     {"1", "0", 8, 1, 10},           {"1000", "0", 8, 1000, 10000},
    {"0", "1KiB", 512, 3, 20},   {"0", "32KiB", 8, 4097, 40960}, {"20", "1KiB", 2048, 1, 5},
    {"20", "32KiB", 8, 20, 200},
};

Test(throttle, after_a_second_in_advance_messages_come_at_the_rate_given, .timeout = 120)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        scenario_start(&scenario, i + 1,
                       FLAGS("--shards", "2", "--room-messages-per-second", cases[i].messages,
                             "--room-bytes-per-second", cases[i].bytes));
        struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
        const struct client *reader = client_join(&scenario, 1, "/", SEND_BUFFER);
        scenario_settle(&scenario);
        for (uint32_t said = 0; said < cases[i].at_once + cases[i].later + 1000; said++) {
            client_say(speaker, cases[i].message_bytes - 8);
        }
        run_until_idle();
        cr_expect_eq(reader->heard_count, cases[i].at_once, "case %zu: %u", i, reader->heard_count);
        uint64_t until_ms = fake_now_ms() + 10000;
        while (fake_now_ms() < until_ms) {
            scenario_step(&scenario, until_ms - fake_now_ms());
        }
        run_until_idle();
        uint32_t most = cases[i].at_once + cases[i].later, tick = most / 200 + 1;
        cr_expect_leq(reader->heard_count, most, "case %zu: %u", i, reader->heard_count);
        cr_expect_geq(reader->heard_count, most - tick, "case %zu: %u", i, reader->heard_count);
        cr_expect_gt(scenario_counter(&scenario, COUNTER_receives_throttled), 0);
        hang_up(speaker);
        scenario_stop(&scenario);
    }
}

Test(throttle, a_rest_gains_no_more_than_a_second, .timeout = 60)
{
    for (uint32_t is_bytes = 0; is_bytes < 2; is_bytes++) {
        scenario_start(&scenario, 1,
                       FLAGS("--shards", "1", "--room-messages-per-second", is_bytes ? "0" : "20",
                             "--room-bytes-per-second", is_bytes ? "160" : "0"));
        struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
        const struct client *reader = client_join(&scenario, 0, "/", SEND_BUFFER);
        scenario_settle(&scenario);
        client_say(speaker, 0);
        scenario_pass(&scenario, 60000);
        client_flood(speaker, 100);
        run_until_idle();
        cr_expect_eq(reader->heard_count, 1 + 20 + is_bytes, "%u",
                     reader->heard_count); /* bytes are paid for after */
        hang_up(speaker);
        scenario_stop(&scenario);
    }
}

/* Longer than the server waits for a pong, which stands unread behind what was said before it. */
Test(throttle, who_waits_is_not_closed_loses_nothing_and_holds_up_nobody, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "2", "--room-messages-per-second", "20"));
        struct client *fast = client_join(&scenario, 0, "/", SEND_BUFFER);
        struct client *slow = client_join(&scenario, 0, "/", SEND_BUFFER);
        const struct client *reader = client_join(&scenario, 1, "/", SEND_BUFFER);
        scenario_settle(&scenario);
        client_flood(fast, 1500);
        run_until_idle();
        for (uint32_t i = 0; i < 10; i++) {
            uint32_t heard = reader->heard_count;
            client_say(slow, 0);
            run_until_idle();
            cr_expect_eq(reader->heard_count, heard + 1, "at once, seed %lu", seed);
        }
        scenario_pass(&scenario, 80000);
        client_check_heard_all(reader, (struct client *const[]){fast, slow}, 2);
        cr_expect_eq(fast->code, 0);
        scenario_stop(&scenario);
    }
}

Test(throttle, last_words_come_before_the_end, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "2", "--room-messages-per-second", "50"));
        struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
        const struct client *reader = client_join(&scenario, 1, "/", SEND_BUFFER);
        scenario_settle(&scenario);
        client_flood(speaker, 300);
        if (seed % 2 == 0) client_close(speaker, 1000);
        if (seed % 3 == 0) fake_shutdown(speaker->socket);
        scenario_pass(&scenario, 8000);
        client_check_heard_all(reader, &speaker, 1);
        if (seed % 2 == 0) cr_expect_eq(speaker->code, 1000);
        if (seed % 6 != 1 && seed % 6 != 5) cr_expect(fake_is_at_end(speaker->socket), "seed %lu", seed);
        scenario_stop(&scenario);
    }
}

Test(throttle, of_a_fast_one_no_more_is_held_than_a_buffer, .timeout = 120)
{
    scenario_start(&scenario, 1, FLAGS("--room-messages-per-second", "20", "--shards", "1"));
    struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    client_flood(speaker, 50000);
    uint32_t held_max = 0;
    uint64_t until_ms = fake_now_ms() + 5000;
    while (fake_now_ms() < until_ms) {
        scenario_step(&scenario, until_ms - fake_now_ms());
        const struct shard *shard = &scenario.server.shards[0];
        for (uint32_t slot = 0; slot < shard->slots_used; slot++) {
            const struct span *held = shard->connections[slot].held;
            if (held != NULL && held->count > held_max) held_max = held->count;
        }
    }
    cr_expect_gt(held_max, 0);
    cr_expect_leq(held_max, 2048, "%u bytes were held", held_max);
    hang_up(speaker);
    scenario_stop(&scenario);
}

Test(throttle, the_server_ends_those_who_wait_like_others, .timeout = 60)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "1", "--room-messages-per-second", "1"));
    struct client *speakers[3];
    for (uint32_t i = 0; i < 3; i++) {
        speakers[i] = client_join(&scenario, 0, "/", SEND_BUFFER);
    }
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < 3; i++) {
        client_flood(speakers[i], 5);
    }
    run_until_idle();
    server_set_stage(&scenario.server, SERVER_STOPPING);
    while (!server_has_ended(&scenario.server)) {
        scenario_step(&scenario, 1);
    }
    for (uint32_t i = 0; i < 3; i++) {
        cr_expect_eq(speakers[i]->code, 1001);
    }
    scenario_free(&scenario);
}

Test(throttle, without_limits_nothing_is_remembered, .timeout = 60)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "1"));
    struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    client_flood(speaker, 1000);
    scenario_settle(&scenario);
    const struct shard *shard = &scenario.server.shards[0];
    for (uint32_t slot = 0; slot < shard->slots_used; slot++) {
        cr_expect_null(shard->connections[slot].throttle);
    }
    cr_expect_eq(scenario_counter(&scenario, COUNTER_receives_throttled), 0);
    scenario_stop(&scenario);
}

/* Who goes before it was in has a request, and nothing that was counted. */
Test(throttle, who_goes_while_it_joins_leaves_nothing, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        char room[64];
        scenario_start(&scenario, seed, FLAGS("--shards", "2", "--room-messages-per-second", "5"));
        scenario_room(&scenario, 1, 0, room);
        for (uint32_t i = 0; i < 20; i++) {
            struct client *client = client_join(&scenario, 0, room, SEND_BUFFER);
            for (uint32_t steps = fake_random(8); steps > 0; steps--) {
                scenario_step(&scenario, 0);
            }
            fake_reset(client->socket);
        }
        scenario_settle(&scenario);
        scenario_stop(&scenario);
    }
    expect_no_leaks();
}
