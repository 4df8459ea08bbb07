/* tests/server/test_scenario.c - a whole server of several shards on a fake kernel: what its clients hear, whoever
 * runs when.
 *
 * Method: tests/support/fake_kernel.h. Every scenario ends in scenario_stop(), which checks that no message, channel,
 * subscription, byte or connection is left. A failure names the seed, which repeats it. */
#include "core/span.h"
#include "tests/support/scenario.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS(...)  ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536

static struct scenario scenario;

/* --- who said what, who heard it ---------------------------------------------------------------------------------
 */

/* A number is its speaker's index and a serial. */
#define SERIAL_BITS 20

static uint32_t said[SCENARIO_CLIENTS_MAX];                               /* by each client: the next serial */
static uint32_t said_at_open[SCENARIO_CLIENTS_MAX][SCENARIO_CLIENTS_MAX]; /* what `said` was at the reader's 101 */
static bool is_open[SCENARIO_CLIENTS_MAX];

static uint32_t index_of(const struct client *client)
{
    return (uint32_t)(client - scenario.clients);
}

static void start(uint64_t seed, const char *const flags[])
{
    memset(said, 0, sizeof said);
    memset(is_open, 0, sizeof is_open);
    scenario_start(&scenario, seed, flags);
}

static void say(struct client *client, uint32_t padding)
{
    client_say(client, index_of(client) << SERIAL_BITS | said[index_of(client)]++, padding);
}

static void step(void)
{
    scenario_step(&scenario, 0);
    for (uint32_t i = 0; i < scenario.clients_count; i++) {
        if (is_open[i] || scenario.clients[i].status != 101) continue;
        is_open[i] = true;
        memcpy(said_at_open[i], said, sizeof said);
    }
}

static bool is_number_of(uint32_t number, uint32_t speaker)
{
    return number >> SERIAL_BITS == speaker;
}

/* Each of these said its serials from 0 on; the reader heard all of them, in that order. */
static void check_heard_all(const struct client *reader, const struct client *const speakers[], uint32_t count)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t serial = 0;
        for (uint32_t k = 0; k < reader->heard_count; k++) {
            if (!is_number_of(reader->heard[k], index_of(speakers[i]))) continue;
            cr_assert_eq(reader->heard[k], index_of(speakers[i]) << SERIAL_BITS | serial, "a gap or a repetition");
            serial++;
        }
        cr_assert_eq(serial, said[index_of(speakers[i])], "%u of %u were heard", serial, said[index_of(speakers[i])]);
        total += serial;
    }
    cr_assert_eq(reader->heard_count, total, "nothing else was heard");
}

/* What the reader heard is what the witness heard from some point on (without the reader's own words): no other
 * order, no gap; up to the end if the reader stayed. Nothing that was said after the reader's 101 came before that
 * point. */
static void check_order(const struct client *reader, const struct client *witness, bool has_stayed, bool has_echo)
{
    uint32_t next = 0, own = index_of(reader);
    bool has_begun = false;
    for (uint32_t i = 0; i < witness->heard_count && (has_stayed || next < reader->heard_count); i++) {
        uint32_t number = witness->heard[i], speaker = number >> SERIAL_BITS;
        if (!has_echo && speaker == own) continue;
        has_begun = has_begun || (reader->heard_count > 0 && number == reader->heard[0]);
        if (has_begun) {
            cr_assert_lt(next, reader->heard_count, "client %u missed %08x at its end", own, number);
            cr_assert_eq(reader->heard[next], number, "client %u heard %08x instead of %08x", own,
                         reader->heard[next], number);
            next++;
        } else {
            uint32_t serial = number & ((1u << SERIAL_BITS) - 1);
            cr_assert_lt(serial, said_at_open[own][speaker], "client %u missed %08x after its 101", own, number);
        }
    }
    cr_assert_eq(next, reader->heard_count, "client %u heard what nobody else did", own);
}

/* --- one room ----------------------------------------------------------------------------------------------------
 */

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
        client_say(here[0], 7, 0);
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

Test(scenario, with_echo_the_sender_hears_itself, .timeout = 30)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "2", "--lobby-echo"));
    struct client *a = client_join(&scenario, 0, "/", SEND_BUFFER), *b = client_join(&scenario, 1, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    client_say(a, 1, 0);
    client_say(b, 2, 0);
    scenario_settle(&scenario);
    cr_expect_eq(a->heard_count, 2);
    cr_expect_eq(b->heard_count, 2);
    cr_expect_arr_eq(a->heard, b->heard, 2 * sizeof a->heard[0], "in one order");
    scenario_stop(&scenario);
}

/* --- floods ------------------------------------------------------------------------------------------------------
 */

static void flood(struct client *client, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        say(client, 0);
    }
}

Test(scenario, a_full_mailbox_spills_pauses_the_speaker_and_loses_nothing, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        char room[64];
        start(seed, FLAGS("--shards", "2", "--mailbox-letters", "64"));
        scenario_room(&scenario, 1, 0, room); /* each message is a letter to its home and one back */
        const struct client *speaker = client_join(&scenario, 0, room, SEND_BUFFER);
        struct client *readers[4];
        for (uint32_t i = 0; i < 4; i++) {
            readers[i] = client_join(&scenario, i % 2, room, SEND_BUFFER);
        }
        scenario_settle(&scenario);
        flood((struct client *)speaker, 10000);
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 4; i++) {
            check_heard_all(readers[i], &speaker, 1);
        }
        cr_expect_eq(speaker->heard_count, 0);
        cr_expect_gt(scenario_counter(&scenario, COUNTER_letters_spilled), 0);
        cr_expect_gt(scenario_counter(&scenario, COUNTER_receives_paused), 0);
        cr_expect_eq(scenario.server.shards[0].paused.count + scenario.server.shards[1].paused.count, 0);
        scenario_stop(&scenario);
    }
}

/* Goal: no circle of full mailboxes stands still. Method: every shard is flooded with requests by all others. */
Test(scenario, floods_in_all_directions_go_on, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        uint32_t shards = 2 + (uint32_t)seed % 3;
        char count[8], room[64];
        snprintf(count, sizeof count, "%u", shards);
        start(seed, FLAGS("--shards", count, "--mailbox-letters", "64"));
        struct client *speakers[4], *readers[4];
        for (uint32_t i = 0; i < shards; i++) {
            scenario_room(&scenario, (i + 1) % shards, 0, room);
            speakers[i] = client_join(&scenario, i, room, SEND_BUFFER);
            readers[i] = client_join(&scenario, fake_random(shards), room, SEND_BUFFER);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < shards; i++) {
            flood(speakers[i], 4000);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < shards; i++) {
            check_heard_all(readers[i], (const struct client *const *)&speakers[i], 1);
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
        start(seed, FLAGS("--shards", "2", "--mailbox-letters", "64", "--receive-buffers", "16"));
        scenario_room(&scenario, 1, 0, room);
        const struct client *speaker = client_join(&scenario, 0, room, SEND_BUFFER);
        const struct client *reader = client_join(&scenario, 1, room, SEND_BUFFER);
        scenario_settle(&scenario);
        flood((struct client *)speaker, 30000);
        uint32_t held_max = 0;
        while (scenario_step(&scenario, 50)) {
            const struct shard *shard = &scenario.server.shards[0];
            for (uint32_t slot = 0; slot < shard->slots_used; slot++) {
                const struct span *held = shard->connections[slot].held;
                if (held != NULL && held->count > held_max) held_max = held->count;
            }
        }
        check_heard_all(reader, &speaker, 1);
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
        start(seed, FLAGS("--shards", "2", "--mailbox-letters", "64"));
        scenario_room(&scenario, seed % 2, 0, room);
        const struct client *speaker = client_join(&scenario, 0, room, SEND_BUFFER);
        const struct client *reader = client_join(&scenario, 1, room, SEND_BUFFER);
        scenario_settle(&scenario);
        flood((struct client *)speaker, 3000);
        fake_shutdown(speaker->socket);
        scenario_settle(&scenario);
        check_heard_all(reader, &speaker, 1);
        cr_expect(fake_is_at_end(speaker->socket));
        scenario_stop(&scenario);
    }
}

/* --- everything at once ------------------------------------------------------------------------------------------
 */

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
    step();
    for (int action = 0; action < 300; action++) {
        if (fake_random(4) == 0) guest_comes_or_goes(shards);
        struct client *speaker = speakers[fake_random(SPEAKERS)];
        for (uint32_t left = fake_random(30); left > 0; left--) {
            say(speaker, fake_random(10) == 0 ? fake_random(3000) : fake_random(3));
        }
        for (uint32_t left = fake_random(20); left > 0; left--) {
            step();
        }
    }
    scenario_settle(&scenario);
}

static void check_party(bool has_echo)
{
    for (uint32_t i = 0; i < ROOMS; i++) {
        const struct client *const heard[] = {speakers[i], speakers[i + ROOMS]};
        check_heard_all(witnesses[i], heard, 2);
        check_order(speakers[i], witnesses[i], true, has_echo);
        check_order(speakers[i + ROOMS], witnesses[i], true, has_echo);
    }
    for (uint32_t i = 0; i < guests_count; i++) {
        cr_assert(has_left[i] || guests[i]->status == 101);
        check_order(guests[i], witnesses[i % ROOMS], !has_left[i], true);
    }
}

Test(scenario, every_interleaving_gives_every_reader_one_order, .timeout = 240)
{
    for (uint64_t seed = 1; seed <= 24; seed++) {
        uint32_t shards = 1 + (uint32_t)seed % 4;
        bool has_echo = seed % 3 == 0;
        char count[8];
        snprintf(count, sizeof count, "%u", shards);
        start(seed, FLAGS("--shards", count, "--mailbox-letters", seed % 2 ? "64" : "2048", "--receive-buffers",
                          seed % 5 ? "16" : "256", has_echo ? "--lobby-echo" : NULL));
        run_party(shards);
        check_party(has_echo);
        scenario_stop(&scenario);
    }
}
