/* tests/server/scenario/test_scenario.c - a whole server of several shards on a fake kernel: what its clients hear,
 * whoever runs when.
 *
 * Method: tests/support/fake_kernel.h. Every scenario ends in scenario_stop(), which checks that no message, channel,
 * subscription, byte or connection is left. A failure names the seed, which repeats it. */
#include "core/span.h"
#include "server/connection/connection.h"
#include "tests/support/scenario.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS(...)  ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536

static struct scenario scenario;

/* ---- one room ---- */

Test(scenario, a_message_reaches_everyone_else_in_its_room_once, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "3"));
        struct client *here[6], *elsewhere = client_join(&scenario, 1, "/room/other", SEND_BUFFER);
        for (uint32_t i = 0; i < 6; i++) {
            here[i] = client_join(&scenario, i % 3, "/", SEND_BUFFER);
        }
        scenario_settle(&scenario);
        uint64_t before_ms = fake_now_ms();
        client_say(here[0], 0);
        while (scenario_step(&scenario, 0)) {
        }
        for (uint32_t i = 0; i < 6; i++) {
            cr_assert_eq(here[i]->status, 101);
            cr_assert_eq(here[i]->heard_count, i == 0 ? 0 : 1, "client %u, seed %lu", i, seed);
        }
        cr_assert_eq(fake_now_ms(), before_ms, "nobody had to wait for a clock: every doorbell was heard");
        cr_assert_eq(elsewhere->heard_count, 0);
        scenario_stop(&scenario);
    }
}

/* Goal: a bell that nobody rang costs no more than the sleep, and is counted. Method: the sender does not see that the
 * other sleeps. */
Test(scenario, a_letter_that_nobody_rang_for_is_taken_after_the_sleep_and_counted, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "2"));
        struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
        const struct client *reader = client_join(&scenario, 1, "/", SEND_BUFFER);
        scenario_settle(&scenario);
        cr_assert_eq(scenario_counter(&scenario, COUNTER_wakeups_late), 0);
        client_say(speaker, 0);
        uint32_t *flag = &scenario.server.shards[1].is_sleeping;
        do {
            *flag = 0;
            cr_assert(scenario_step(&scenario, 0));
            *flag = 1;
        } while (scenario_counter(&scenario, COUNTER_letters_sent) == 0);
        scenario_pass(&scenario, 2000);
        cr_expect_eq(reader->heard_count, 1, "seed %lu", seed);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_wakeups_late), 1, "seed %lu", seed);
        scenario_stop(&scenario);
    }
}

Test(scenario, with_echo_the_sender_hears_itself, .timeout = 30)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "2", "--lobby-echo"));
    struct client *a = client_join(&scenario, 0, "/", SEND_BUFFER), *b = client_join(&scenario, 1, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    client_say(a, 0);
    client_say(b, 0);
    scenario_settle(&scenario);
    cr_expect_eq(a->heard_count, 2);
    cr_expect_eq(b->heard_count, 2);
    cr_expect_arr_eq(a->heard, b->heard, 2 * sizeof a->heard[0], "in one order");
    scenario_stop(&scenario);
}

/* ---- coalescing ---- */

/* Goal: with coalesce_ms messages wait and leave together, all of them and in order; what a client asks for does not
 * wait behind them. Method: the clock of the fake kernel moves only when nobody has anything to do. */
/* Goal: wherever the room has its home, one who ends in the next breath hears all its words first. */
Test(scenario, with_echo_the_sender_hears_its_last_words_before_the_close, .timeout = 60)
{
    static const struct {
        uint8_t opcode;
        const char *payload;
        size_t count;
        uint16_t code;
    } ends[] = {
        {FRAME_CLOSE, "\x03\xe8", 2, 1000},
        {FRAME_CLOSE, "\x0f\xa1", 2, 4001},
        {FRAME_CLOSE, "", 0, 1005},
        {FRAME_CLOSE, "\x03", 1, 1002},
        {3, "", 0, 1002},
        {FRAME_TEXT, "\xff", 1, 1007},
    };
    for (uint64_t seed = 1; seed <= 36; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 4;
        char count[8], path[64];
        snprintf(count, sizeof count, "%u", shards);
        scenario_start(&scenario, seed, FLAGS("--shards", count, "--lobby-echo", "--mailbox-letters", "64"));
        scenario_room(&scenario, (uint32_t)seed % 3 % shards, 0, path);
        struct client *client = client_join(&scenario, 0, path, SEND_BUFFER);
        struct client *other = client_join(&scenario, shards - 1, path, SEND_BUFFER);
        scenario_settle(&scenario);
        client_flood(client, seed % 2 ? 1 : 200);
        size_t i = seed % (sizeof ends / sizeof ends[0]);
        client_frame(client, ends[i].opcode, ends[i].payload, ends[i].count);
        client_say(other, 0);
        scenario_settle(&scenario);
        cr_expect_eq(client->code, ends[i].code, "%u, seed %lu", client->code, seed);
        uint32_t own = 0;
        for (uint32_t k = 0; k < client->heard_count; k++) {
            own += client->heard[k] >> SCENARIO_SERIAL_BITS == client->index;
        }
        cr_expect_eq(own, client->said, "%u of %u, seed %lu", own, client->said, seed);
        client_check_heard_all(other, (struct client *[]){client, other}, 2);
        scenario_stop(&scenario);
    }
}

Test(scenario, coalesced_messages_leave_together_and_in_order, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "2", "--coalesce-ms", "7"));
        struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER), *readers[5];
        for (uint32_t i = 0; i < 5; i++) {
            readers[i] = client_join(&scenario, i % 2, "/", SEND_BUFFER);
        }
        scenario_settle(&scenario);
        uint64_t sends = scenario_counter(&scenario, COUNTER_sends), before_ms = fake_now_ms();
        for (uint32_t turn = 0; turn < 20; turn++) {
            client_say(speaker, 0);
            while (scenario_step(&scenario, 0)) {
            }
        }
        cr_assert_eq(readers[0]->heard_count, 0, "they wait, seed %lu", seed);
        client_frame(readers[1], FRAME_PING, "x", 1); /* its answer takes along what waits for this one */
        while (scenario_step(&scenario, 0)) {
        }
        cr_expect_eq(readers[1]->heard_count, 20);
        cr_assert_eq(fake_now_ms(), before_ms);
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 5; i++) {
            client_check_heard_all(readers[i], &speaker, 1);
        }
        cr_expect_eq(scenario_counter(&scenario, COUNTER_sends) - sends, 5, "one send for each, seed %lu", seed);
        scenario_stop(&scenario);
    }
}

/* The same under floods, stuck readers and sudden ends: nothing is lost, nothing left behind. */
Test(scenario, coalescing_loses_nothing, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "3", "--coalesce-ms", "1"));
        struct client *speakers[3], *readers[9];
        for (uint32_t i = 0; i < 3; i++) {
            speakers[i] = client_join(&scenario, i, "/", SEND_BUFFER);
        }
        for (uint32_t i = 0; i < 9; i++) {
            readers[i] = client_join(&scenario, i % 3, "/", i % 2 == 0 ? SEND_BUFFER : 200);
        }
        scenario_settle(&scenario);
        for (uint32_t round = 0; round < 30; round++) {
            client_flood(speakers[round % 3], 1 + fake_random(20));
            if (round == 10) fake_reset(readers[8]->socket);
            if (round == 20) client_close(readers[7], 1000);
            scenario_pass(&scenario, fake_random(3));
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 7; i++) {
            client_check_heard_all(readers[i], speakers, 3);
        }
        scenario_stop(&scenario);
    }
}

/* ---- silence ---- */

/* When the silence of the connection that was pinged and has not answered is judged; 0: there is none. */
static uint64_t judged_at_ms(void)
{
    const struct shard *shard = &scenario.server.shards[0];
    uint64_t at_ms = 0;
    for (uint32_t i = 0; i < shard->slots_used; i++) {
        const struct connection *connection = &shard->connections[i];
        bool is_pinged = connection->state == CONNECTION_OPEN && connection->pinged_ms > connection->heard_ms;
        if (is_pinged) at_ms = connection->pinged_ms + scenario.options.pong_ms_max;
    }
    return at_ms;
}

/* Goal: who is heard in the moment in which its silence is judged is looked at again. Method: its pong comes behind so
 * much else that the turn ends before it, and its timer has run out. */
Test(scenario, who_is_heard_while_its_silence_is_judged_is_looked_at_again, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "1", "--ping-ms", "20s", "--pong-ms-max", "5s"));
        struct client *mute = client_join(&scenario, 0, "/", SEND_BUFFER);
        struct client *noisy = client_join(&scenario, 0, "/room/noise", SEND_BUFFER);
        mute->is_mute = true;
        scenario_settle(&scenario);
        while (mute->pings == 0 || noisy->pings == 0) {
            scenario_step(&scenario, 50);
        }
        while (scenario_step(&scenario, 0)) {
        }
        uint64_t at_ms = judged_at_ms();
        cr_assert_gt(at_ms, fake_now_ms());
        while (fake_now_ms() < at_ms - 1) {
            scenario_step(&scenario, at_ms - 1 - fake_now_ms());
        }
        for (uint32_t i = 0; i < 3000; i++) {
            client_frame(noisy, FRAME_PONG, "", 0);
        }
        client_frame(mute, FRAME_PONG, "", 0);
        fake_kernel_stall(80); /* the wheel of timers is as coarse as that */
        while (fake_now_ms() < at_ms + 60000) {
            scenario_step(&scenario, 50); /* the noisy one reads in time */
        }
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SILENT)), 1, "seed %lu", seed);
        cr_expect_eq(noisy->code, 0);
        scenario_stop(&scenario);
    }
}

/* ---- floods ---- */

Test(scenario, a_full_mailbox_spills_pauses_the_speaker_and_loses_nothing, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        char room[64];
        scenario_start(&scenario, seed, FLAGS("--shards", "2", "--mailbox-letters", "64"));
        scenario_room(&scenario, 1, 0, room); /* each message is a letter to its home and one back */
        struct client *speaker = client_join(&scenario, 0, room, SEND_BUFFER);
        struct client *readers[4];
        for (uint32_t i = 0; i < 4; i++) {
            readers[i] = client_join(&scenario, i % 2, room, SEND_BUFFER);
        }
        scenario_settle(&scenario);
        client_flood(speaker, 10000);
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 4; i++) {
            client_check_heard_all(readers[i], &speaker, 1);
        }
        cr_expect_eq(speaker->heard_count, 0);
        cr_expect_gt(scenario_counter(&scenario, COUNTER_letters_spilled), 0);
        cr_expect_gt(scenario_counter(&scenario, COUNTER_receives_paused), 0);
        cr_expect_eq(scenario.server.shards[0].receive.paused.count + scenario.server.shards[1].receive.paused.count,
                     0);
        scenario_stop(&scenario);
    }
}

/* Goal: a home that cannot deliver takes no further request, so that what waits stays bounded by the letters it had in
 * hand. Method: others flood it with publishes, each of which is a delivery to both of them. */
Test(scenario, requests_stop_while_deliveries_wait, .timeout = 120)
{
    enum { SHARDS = 3, IN_HAND = 64 };
    uint64_t most = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        char room[64];
        struct client *speakers[8], *readers[2];
        scenario_start(&scenario, seed, FLAGS("--shards", "3", "--mailbox-letters", "256"));
        scenario_room(&scenario, 0, 0, room);
        for (uint32_t i = 0; i < 8; i++) {
            speakers[i] = client_join(&scenario, 1 + i % 2, room, SEND_BUFFER);
        }
        for (uint32_t i = 0; i < 2; i++) {
            readers[i] = client_join(&scenario, 1 + i, room, SEND_BUFFER);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 8; i++) {
            client_flood(speakers[i], 1500);
        }
        while (scenario_step(&scenario, 1)) {
            uint64_t waiting = scenario.server.shards[0].post.deliveries_waiting;
            if (waiting > most) most = waiting;
            cr_assert_leq(waiting, IN_HAND * (SHARDS - 1), "seed %lu", seed);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 2; i++) {
            client_check_heard_all(readers[i], speakers, 8);
        }
        scenario_stop(&scenario);
    }
    cr_expect_gt(most, 0, "deliveries did wait");
}

/* Goal: no circle of full mailboxes stands still. Method: every shard is flooded with requests by all others. */
Test(scenario, floods_in_all_directions_go_on, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        uint32_t shards = 2 + (uint32_t)seed % 3;
        char count[8], room[64];
        snprintf(count, sizeof count, "%u", shards);
        scenario_start(&scenario, seed, FLAGS("--shards", count, "--mailbox-letters", "64"));
        struct client *speakers[4], *readers[4];
        for (uint32_t i = 0; i < shards; i++) {
            scenario_room(&scenario, (i + 1) % shards, 0, room);
            speakers[i] = client_join(&scenario, i, room, SEND_BUFFER);
            readers[i] = client_join(&scenario, fake_random(shards), room, SEND_BUFFER);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < shards; i++) {
            client_flood(speakers[i], 4000);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < shards; i++) {
            client_check_heard_all(readers[i], &speakers[i], 1);
        }
        scenario_stop(&scenario);
    }
}

/* Goal: who is paused is not read from. Method: with 16 receive buffers a turn takes in 32 KiB at most; one turn's
 * bytes may be held, beside what was held of the turn before. */
Test(scenario, of_a_paused_speaker_no_more_is_held_than_came_before_the_pause, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        char room[64];
        scenario_start(&scenario, seed, FLAGS("--shards", "2", "--mailbox-letters", "64", "--receive-buffers", "16"));
        scenario_room(&scenario, 1, 0, room);
        struct client *speaker = client_join(&scenario, 0, room, SEND_BUFFER);
        const struct client *reader = client_join(&scenario, 1, room, SEND_BUFFER);
        scenario_settle(&scenario);
        client_flood(speaker, 30000);
        uint32_t held_max = 0;
        while (scenario_step(&scenario, 50)) {
            const struct shard *shard = &scenario.server.shards[0];
            for (uint32_t slot = 0; slot < shard->slots_used; slot++) {
                const struct span *held = shard->connections[slot].held;
                if (held != NULL && held->count > held_max) held_max = held->count;
            }
        }
        client_check_heard_all(reader, &speaker, 1);
        cr_expect_gt(held_max, 0);
        cr_expect_leq(held_max, 2 * 16 * 2048, "%u bytes were held, seed %lu", held_max, seed);
        scenario_stop(&scenario);
    }
}

/* A FIN may come while the speaker is paused and its words are held: they came first. */
Test(scenario, the_last_words_of_one_who_hangs_up_are_delivered, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        char room[64];
        scenario_start(&scenario, seed, FLAGS("--shards", "2", "--mailbox-letters", "64"));
        scenario_room(&scenario, seed % 2, 0, room);
        struct client *speaker = client_join(&scenario, 0, room, SEND_BUFFER);
        const struct client *reader = client_join(&scenario, 1, room, SEND_BUFFER);
        scenario_settle(&scenario);
        client_flood(speaker, 3000);
        fake_shutdown(speaker->socket);
        scenario_settle(&scenario);
        client_check_heard_all(reader, &speaker, 1);
        cr_expect(fake_is_at_end(speaker->socket));
        scenario_stop(&scenario);
    }
}

/* ---- everything at once ---- */

#define ROOMS    3
#define SPEAKERS 6 /* of which each room has every third */
#define GUESTS   40

static char rooms[ROOMS][64];
static struct client *witnesses[ROOMS], *speakers[SPEAKERS], *guests[GUESTS];
static bool has_left[GUESTS];
static uint32_t guests_count;

static void guest_comes_or_goes(uint32_t shards)
{
    if (fake_random(3) > 0) {
        if (guests_count == GUESTS) return;
        size_t send_buffer = 2000 + fake_random(20000);
        has_left[guests_count] = false;
        guests[guests_count] = client_join(&scenario, fake_random(shards), rooms[guests_count % ROOMS], send_buffer);
        guests_count++;
        return;
    }
    uint32_t guest = fake_random(GUESTS);
    if (guest >= guests_count || has_left[guest]) return;
    has_left[guest] = true;
    switch (fake_random(3)) {
    case 0:
        client_close(guests[guest], 1000);
        break;
    case 1:
        fake_shutdown(guests[guest]->socket);
        break;
    default:
        fake_reset(guests[guest]->socket);
    }
}

static void run_party(uint32_t shards)
{
    for (uint32_t i = 0; i < ROOMS; i++) {
        scenario_room(&scenario, i % shards, i / shards, rooms[i]);
        witnesses[i] = client_join(&scenario, fake_random(shards), rooms[i], SEND_BUFFER);
    }
    for (uint32_t i = 0; i < SPEAKERS; i++) {
        speakers[i] = client_join(&scenario, fake_random(shards), rooms[i % ROOMS], SEND_BUFFER);
    }
    guests_count = 0;
    scenario_settle(&scenario);
    scenario_step(&scenario, 0);
    for (int action = 0; action < 200; action++) {
        if (fake_random(4) == 0) guest_comes_or_goes(shards);
        struct client *speaker = speakers[fake_random(SPEAKERS)];
        for (uint32_t left = fake_random(fake_random(10) == 0 ? 400 : 20); left > 0; left--) {
            client_say(speaker, fake_random(10) == 0 ? fake_random(3000) : fake_random(3));
        }
        for (uint32_t left = fake_random(20); left > 0; left--) {
            scenario_step(&scenario, 0);
        }
    }
    scenario_settle(&scenario);
}

static void check_party(bool has_echo)
{
    for (uint32_t i = 0; i < ROOMS; i++) {
        struct client *const heard[] = {speakers[i], speakers[i + ROOMS]};
        client_check_heard_all(witnesses[i], heard, 2);
        client_check_order(speakers[i], witnesses[i], true, has_echo);
        client_check_order(speakers[i + ROOMS], witnesses[i], true, has_echo);
    }
    for (uint32_t i = 0; i < guests_count; i++) {
        cr_assert(has_left[i] || guests[i]->status == 101);
        client_check_order(guests[i], witnesses[i % ROOMS], !has_left[i], true);
    }
}

Test(scenario, every_interleaving_gives_every_reader_one_order, .timeout = 240)
{
    /* What must happen now and then, or the scenario does not try what it is for. */
    static const enum counter wanted[] = {COUNTER_letters_spilled, COUNTER_receives_paused, COUNTER_receives_starved,
                                          COUNTER_sends_short, COUNTER_doorbells_rung};
    uint64_t seen[sizeof wanted / sizeof wanted[0]] = {0};
    for (uint64_t seed = 1; seed <= 24; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 4;
        bool has_echo = seed % 3 == 0;
        char count[8];
        snprintf(count, sizeof count, "%u", shards);
        scenario_start(&scenario, seed,
                       FLAGS("--shards", count, "--mailbox-letters", seed % 2 ? "64" : "2048", "--receive-buffers",
                             seed % 5 ? "16" : "256", has_echo ? "--lobby-echo" : NULL));
        run_party(shards);
        check_party(has_echo);
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            seen[i] += scenario_counter(&scenario, wanted[i]);
        }
        scenario_stop(&scenario);
    }
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        cr_expect_gt(seen[i], 0, "%s never happened", counter_name(wanted[i]));
    }
}
