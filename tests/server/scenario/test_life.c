/* tests/server/scenario/test_life.c - coming, staying and going of clients on a whole server with a fake kernel: slow
 * readers, silent ones, limits, the clock, the drain.
 *
 * Method: that of tests/server/scenario/test_scenario.c. */
#include "net/frame.h"
#include "server/connection/connection.h"
#include "tests/support/scenario.h"

#include <criterion/criterion.h>

#define FLAGS(...)  ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536

static struct scenario scenario;

/* ---- readers who do not read ---- */

Test(life, a_slow_reader_is_closed_alone, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        scenario_start(&scenario, seed,
                       FLAGS("--shards", "2", "--outbox-bytes-max", "32KiB", "--message-bytes-max", "16KiB",
                             "--ping-ms", "1h", "--close-ms-max", "1h"));
        struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
        const struct client *reader = client_join(&scenario, 0, "/", SEND_BUFFER);
        struct client *stuck[2];
        for (uint32_t i = 0; i < 2; i++) {
            stuck[i] = client_join(&scenario, i, "/", 8192);
        }
        scenario_settle(&scenario);
        uint32_t before[2];
        for (uint32_t i = 0; i < 2; i++) {
            stuck[i]->is_reading = false;
            before[i] = stuck[i]->heard_count;
        }
        for (uint32_t i = 0; i < 200; i++) { /* 200 KB, a little at a time: who reads keeps up */
            client_say(speaker, 1000);
            scenario_settle(&scenario);
            cr_assert_leq(scenario_counter(&scenario, COUNTER_outbox_bytes), 2 * (32768 + 1100 + 100));
        }
        client_check_heard_all(reader, &speaker, 1);
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SLOW_READER)), 0,
                     "they have time to say goodbye");
        for (uint32_t i = 0; i < 2; i++) {
            stuck[i]->is_reading = true;
            client_read(stuck[i]);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 2; i++) {
            cr_expect_eq(stuck[i]->code, 1013, "after what it had got, and nothing behind it");
            cr_expect_gt(stuck[i]->heard_count, before[i]);
            for (uint32_t k = 0; k < stuck[i]->heard_count; k++) {
                cr_assert_eq(stuck[i]->heard[k], reader->heard[k], "up to its end it missed nothing");
            }
        }
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SLOW_READER)), 2);
        scenario_stop(&scenario);
    }
}

/* Goal: what it costs to remember a message counts, so that tiny ones have their bound too. */
Test(life, tiny_messages_make_a_reader_slow_by_what_they_cost_to_remember, .timeout = 60)
{
    enum { TINY = 1000, FRAME_BYTES = 10, LIMIT = 32 * 1024 };
    cr_assert_lt(TINY * FRAME_BYTES, LIMIT / 2);
    scenario_start(&scenario, 6,
                   FLAGS("--shards", "1", "--outbox-bytes-max", "32KiB", "--message-bytes-max", "16KiB", "--ping-ms",
                         "1h", "--outbox-age-ms-max", "1h"));
    struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
    const struct client *reader = client_join(&scenario, 0, "/", SEND_BUFFER);
    struct client *stuck = client_join(&scenario, 0, "/", 200);
    scenario_settle(&scenario);
    stuck->is_reading = false;
    uint32_t said = 0;
    while (said < TINY && scenario_counter(&scenario, COUNTER_outbox_bytes) / FRAME_BYTES + 40 >= said) {
        client_say(speaker, 0);
        scenario_settle(&scenario);
        said++;
    }
    cr_expect(said > LIMIT / 200 && said < TINY, "after %u of them its outbox was cleared", said);
    client_check_heard_all(reader, &speaker, 1);
    stuck->is_reading = true;
    client_read(stuck);
    scenario_settle(&scenario);
    cr_expect_eq(stuck->code, 1013);
    scenario_stop(&scenario);
}

Test(life, one_who_never_reads_is_given_up_after_the_time_for_closing, .timeout = 30)
{
    scenario_start(&scenario, 1,
                   FLAGS("--shards", "1", "--outbox-age-ms-max", "30s", "--ping-ms", "1h", "--close-ms-max", "5s"));
    struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
    struct client *stuck = client_join(&scenario, 0, "/", 2000);
    scenario_settle(&scenario);
    stuck->is_reading = false;
    client_say(speaker, 3000);
    scenario_settle(&scenario);
    scenario_pass(&scenario, 29000);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_connections_open), 2);
    scenario_pass(&scenario, 1500); /* too old: told so, if it only read */
    cr_expect_eq(scenario_counter(&scenario, COUNTER_connections_open), 2);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_subscriptions), 1);
    scenario_pass(&scenario, 5500);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_connections_open), 1);
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_STALE_READER)), 1);
    scenario_stop(&scenario);
}

/* Pongs are not messages: they are bounded by their number, and the last ping is answered (RFC 6455 5.5.3). */
Test(life, pings_of_one_who_does_not_read_cost_little_and_the_last_is_answered, .timeout = 30)
{
    scenario_start(&scenario, 4, FLAGS("--shards", "1", "--outbox-age-ms-max", "1h", "--ping-ms", "1h"));
    struct client *client = client_join(&scenario, 0, "/", 1000);
    scenario_settle(&scenario);
    client->is_reading = false;
    for (uint32_t i = 0; i < 3000; i++) {
        client_frame(client, FRAME_PING, &i, sizeof i);
        if (i % 100 == 0) scenario_settle(&scenario);
    }
    scenario_settle(&scenario);
    cr_expect_leq(scenario_counter(&scenario, COUNTER_outbox_bytes), (OUTBOX_CONTROLS_MAX + 1) * 6);

    uint8_t frames[8192];
    size_t count = 0;
    for (size_t got = 1; got > 0; count += got) {
        got = fake_read(client->socket, frames + count, sizeof frames - count);
        scenario_settle(&scenario);
    }
    uint32_t last, answered;
    cr_assert(count > 0 && count % 6 == 0, "%zu bytes are no whole pongs", count);
    for (size_t at = 0; at < count; at += 6) {
        cr_assert(frames[at] == (0x80 | FRAME_PONG) && frames[at + 1] == 4);
        memcpy(&answered, frames + at + 2, sizeof answered);
        cr_assert(at == 0 || answered > last, "in their order");
        last = answered;
    }
    cr_expect_eq(last, 2999);
    scenario_stop(&scenario);
}

/* ---- one who talks on and on ---- */

Test(life, frames_of_a_flood_are_taken_a_part_in_each_turn, .timeout = 60)
{
    enum { FRAMES = 60000, A_TURN = 2048, A_BUFFER = 2048 / 7 + 1 };
    scenario_start(&scenario, 1, FLAGS("--shards", "1"));
    struct client *mad = client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    uint8_t *frames = calloc(FRAMES, 7);
    for (size_t i = 0; i < FRAMES; i++) {
        memcpy(frames + 7 * i, (uint8_t[]){0x81, 0x81, 0, 0, 0, 0, 'x'}, 7);
    }
    fake_write(mad->socket, frames, 7 * FRAMES);
    free(frames);
    uint64_t before = 0;
    do {
        uint64_t after = scenario_counter(&scenario, COUNTER_messages_received);
        cr_assert_leq(after - before, A_TURN + A_BUFFER);
        before = after;
    } while (scenario_step(&scenario, 50));
    cr_expect_eq(before, FRAMES);
    scenario_stop(&scenario);
}

/* ---- time ---- */

Test(life, the_silent_are_pinged_and_only_the_mute_are_closed, .timeout = 30)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "2", "--ping-ms", "25s", "--pong-ms-max", "10s"));
    struct client *polite = client_join(&scenario, 0, "/", SEND_BUFFER);
    struct client *mute = client_join(&scenario, 1, "/", SEND_BUFFER);
    mute->is_mute = true;
    scenario_settle(&scenario);
    scenario_pass(&scenario, 21000); /* a tenth earlier than 25 s at the most */
    cr_expect_eq(polite->pings + mute->pings, 0);
    scenario_pass(&scenario, 8000);
    cr_expect_eq(polite->pings, 1);
    cr_expect_eq(mute->pings, 1);
    scenario_pass(&scenario, 11000);
    cr_expect_eq(mute->code, 1011);
    cr_expect_eq(polite->code, 0);
    scenario_pass(&scenario, 100000);
    cr_expect_eq(polite->code, 0);
    cr_expect_geq(polite->pings, 4);
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_SILENT)), 1);
    scenario_stop(&scenario);
}

/* A ping lies behind all that the kernel has for a slow line. While it moves, its client is not judged; when it stands
 * still, it is. */
Test(life, a_slow_line_that_moves_is_alive, .timeout = 30)
{
    scenario_start(&scenario, 1,
                   FLAGS("--shards", "1", "--ping-ms", "2s", "--pong-ms-max", "5s", "--close-ms-max", "1h"));
    struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
    struct client *slow = client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_settle(&scenario);
    slow->is_reading = false;
    client_say(speaker, 40000);
    scenario_settle(&scenario);
    uint8_t piece[300];
    for (uint32_t i = 0; i < 100; i++) {
        fake_read(slow->socket, piece, sizeof piece);
        scenario_pass(&scenario, 300);
        cr_assert_eq(scenario_counter(&scenario, COUNTER_subscriptions), 2, "after %u ms", 300 * i);
    }
    for (uint32_t i = 0; i < 40; i++) {
        scenario_pass(&scenario, 300);
    }
    cr_expect_eq(scenario_counter(&scenario, COUNTER_subscriptions), 1, "it stood still");
    scenario_stop(&scenario);
}

Test(life, who_does_not_finish_the_request_in_time_is_closed, .timeout = 30)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "1", "--handshake-ms-max", "10s"));
    struct fake_socket *silent = fake_connect(scenario.server.shards[0].ring, SEND_BUFFER);
    struct fake_socket *slow = fake_connect(scenario.server.shards[0].ring, SEND_BUFFER);
    scenario_settle(&scenario);
    for (uint32_t second = 0; second < 9; second++) {
        fake_write(slow, &"GET / HTT"[second], 1);
        scenario_pass(&scenario, 1000);
        cr_assert(!fake_is_at_end(silent) && !fake_is_at_end(slow));
    }
    scenario_pass(&scenario, 1500);
    cr_expect(fake_is_at_end(silent));
    cr_expect(fake_is_at_end(slow), "a byte now and then is not enough");
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_HANDSHAKE_TIMEOUT)), 2);
    scenario_stop(&scenario);
    fake_socket_free(silent);
    fake_socket_free(slow);
}

/* Time in which the process stands still is charged to nobody: not to one who could not send the rest of his request,
 * not to one whose pong was on its way, not to one who has not read yet. */
Test(life, a_stall_of_the_process_moves_every_deadline, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        scenario_start(&scenario, seed,
                       FLAGS("--shards", "2", "--handshake-ms-max", "10s", "--ping-ms", "25s", "--pong-ms-max", "10s",
                             "--outbox-age-ms-max", "40s", "--close-ms-max", "3s"));
        struct client *speaker = client_join(&scenario, 0, "/", SEND_BUFFER);
        struct client *asleep = client_join(&scenario, 1, "/", SEND_BUFFER);
        struct client *stuck = client_join(&scenario, 1, "/", 2000);
        scenario_settle(&scenario);
        stuck->is_reading = false;
        client_say(speaker, 3000);
        asleep->is_mute = true;
        while (asleep->pings == 0) {
            scenario_pass(&scenario, 100);
            if (fake_now_ms() % 5000 < 100) client_say(speaker, 10); /* keeps itself alive */
        }
        struct client *late = client_connect(&scenario, 0, SEND_BUFFER);
        static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                   "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        fake_write(late->socket, head, 20);
        scenario_settle(&scenario);
        cr_assert_eq(scenario_counter(&scenario, COUNTER_connections_open), 4);

        fake_kernel_stall(3600 * 1000);
        scenario_pass(&scenario, 2000);
        cr_assert_eq(scenario_counter(&scenario, COUNTER_connections_open), 4, "seed %lu", seed);
        cr_expect_gt(scenario_counter(&scenario, COUNTER_stalls), 0);
        fake_write(late->socket, head + 20, sizeof head - 21);
        client_frame(asleep, FRAME_PONG, "", 0);
        stuck->is_reading = true;
        client_read(stuck);
        scenario_settle(&scenario);
        cr_assert_eq(late->status, 101, "seed %lu", seed);
        scenario_pass(&scenario, 2000);
        cr_assert_eq(scenario_counter(&scenario, COUNTER_subscriptions), 4, "seed %lu", seed);
        scenario_stop(&scenario);
    }
}

/* Goal: what lies in the sockets when the process goes on is heard before anybody's deadline is judged. Method: it
 * stands still while it sleeps until a deadline; before the rest of the request lies more than a turn takes. */
Test(life, what_came_during_a_stall_is_heard_before_deadlines_are_judged, .timeout = 30)
{
    enum { OTHERS = 5, FRAMES = 2000 };
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for (uint64_t seed = 1; seed <= 6; seed++) {
        scenario_start(&scenario, seed, FLAGS("--shards", "1", "--ping-ms", "1h", "--handshake-ms-max", "10s"));
        struct client *others[OTHERS];
        for (uint32_t i = 0; i < OTHERS; i++) {
            others[i] = client_join(&scenario, 0, "/", SEND_BUFFER);
        }
        scenario_settle(&scenario);
        struct client *late = client_connect(&scenario, 0, SEND_BUFFER);
        fake_write(late->socket, head, 20);
        uint64_t due_ms = fake_now_ms() + 10000;
        scenario_pass(&scenario, 9700);
        client_frame(others[0], FRAME_PONG, "", 0); /* it sleeps anew: until the deadline */
        scenario_settle(&scenario);
        cr_assert_lt(fake_now_ms(), due_ms);
        fake_kernel_stall(60 * 1000);
        for (uint32_t i = 0; i < OTHERS * FRAMES; i++) {
            client_frame(others[i % OTHERS], FRAME_PONG, "", 0);
        }
        fake_write(late->socket, head + 20, sizeof head - 21);
        scenario_settle(&scenario);
        cr_expect_eq(late->status, 101, "seed %lu: %u", seed, late->status);
        cr_expect_gt(scenario_counter(&scenario, COUNTER_stalls), 0);
        scenario_stop(&scenario);
    }
}

/* ---- coming ---- */

Test(life, words_said_before_the_101_are_kept_until_the_home_has_answered, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char room[64];
        scenario_start(&scenario, seed, FLAGS("--shards", "3"));
        scenario_room(&scenario, 2, 0, room);
        const struct client *reader = client_join(&scenario, 1, room, SEND_BUFFER);
        scenario_settle(&scenario);
        struct client *hasty = client_join(&scenario, 0, room, SEND_BUFFER);
        client_flood(hasty, 50);
        scenario_settle(&scenario);
        cr_assert_eq(hasty->status, 101);
        client_check_heard_all(reader, &hasty, 1);
        scenario_stop(&scenario);
    }
}

Test(life, at_connections_max_others_wait_or_are_closed_and_places_are_used_again, .timeout = 30)
{
    scenario_start(&scenario, 3, FLAGS("--shards", "2", "--connections-max", "10"));
    for (uint32_t i = 0; i < 14; i++) {
        client_join(&scenario, i % 2, "/", SEND_BUFFER);
    }
    scenario_settle(&scenario);
    uint32_t open = 0, closed = 0;
    for (uint32_t i = 0; i < 14; i++) {
        open += scenario.clients[i].status == 101;
        closed += fake_is_at_end(scenario.clients[i].socket);
    }
    cr_expect_eq(open, 10);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_connections_open), 10);
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_REFUSED)), closed);
    for (uint32_t i = 0; i < 14; i++) {
        if (scenario.clients[i].status == 101) client_close(&scenario.clients[i], 1000);
    }
    scenario_pass(&scenario, 500);
    struct client *late = client_join(&scenario, 0, "/", SEND_BUFFER);
    scenario_pass(&scenario, 500);
    cr_expect_eq(late->status, 101);
    scenario_stop(&scenario);
}

/* Goal: the end of one connection does not reach the next in its slot. Method: who is refused hangs up at once, while
 * the kernel may still be busy with our FIN; the fake one asserts that no slot is closed under it. */
Test(life, a_refused_client_that_hangs_up_at_once_does_no_harm_to_the_next, .timeout = 30)
{
    scenario_start(&scenario, 5, FLAGS("--shards", "1", "--connections-max", "4"));
    for (uint32_t i = 0; i < 100; i++) {
        struct client *refused = client_join(&scenario, 0, "/room/no%2Fname", SEND_BUFFER);
        while (refused->status == 0) {
            scenario_step(&scenario, 50);
        }
        cr_assert_eq(refused->status, 400, "client %u", i);
        fake_shutdown(refused->socket);
        for (uint32_t left = fake_random(4); left > 0; left--) {
            scenario_step(&scenario, 0);
        }
    }
    scenario_settle(&scenario);
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_HTTP_REFUSED)), 100);
    scenario_stop(&scenario);
}

/* ---- going ---- */

Test(life, draining_tells_everyone_goodbye_also_under_load, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        char room[64];
        scenario_start(&scenario, seed, FLAGS("--shards", "3", "--mailbox-letters", "64"));
        for (uint32_t i = 0; i < 60; i++) {
            client_join(&scenario, i % 3, scenario_room(&scenario, i % 2, 0, room), SEND_BUFFER);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 60; i++) {
            client_flood(&scenario.clients[i], seed % 2 ? 100 : 0);
        }
        for (uint32_t left = fake_random(40); left > 0; left--) {
            scenario_step(&scenario, 0);
        }
        server_set_stage(&scenario.server, SERVER_STOPPING);
        while (!server_has_ended(&scenario.server)) {
            scenario_step(&scenario, 50);
        }
        for (uint32_t i = 0; i < 60; i++) {
            client_read(&scenario.clients[i]);
            cr_expect_eq(scenario.clients[i].code, 1001, "client %u, seed %lu", i, seed);
        }
        scenario_stop(&scenario);
    }
}

Test(life, draining_does_not_wait_for_the_stuck_beyond_its_time, .timeout = 30)
{
    scenario_start(&scenario, 1, FLAGS("--shards", "2", "--drain-ms-max", "3s", "--close-ms-max", "1h"));
    for (uint32_t i = 0; i < 4; i++) {
        client_join(&scenario, i % 2, "/", SEND_BUFFER)->is_mute = i < 2;
    }
    scenario_settle(&scenario);
    uint64_t before_ms = fake_now_ms();
    server_set_stage(&scenario.server, SERVER_STOPPING);
    while (!server_has_ended(&scenario.server)) {
        scenario_step(&scenario, 50);
    }
    cr_expect_geq(fake_now_ms() - before_ms, 3000);
    cr_expect_lt(fake_now_ms() - before_ms, 4000);
    server_join(&scenario.server);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_messages_live), 0);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_subscriptions), 0);
    scenario_free(&scenario);
}
