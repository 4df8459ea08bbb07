/* tests/server/scenario/test_request_scenario.c - HTTP on the fake kernel: those who do not wait for answers, who read
 * slowly or never, who stay idle, and who hang up at once. */
#include "server/web/web.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define FLAGS(...)  ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536
#define GET         "GET /up HTTP/1.1\r\nHost: x\r\n\r\n"
#define ASK         "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" /* /up is red at a stop */
#define GET_PAGE    "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_LAST    "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static struct scenario scenario;

static void write_text(struct api_client *self, const char *text)
{
    fake_write(self->client->socket, text, strlen(text));
}

static void start(uint64_t seed, const char *const flags[])
{
    scenario_start(&scenario, seed, flags);
    cr_assert_eq(web_init(), RC_OK);
}

static void stop(void)
{
    scenario_stop(&scenario);
    web_fini();
}

/* ---- pipelines ---- */

/* The most that waited for one client, in outboxes and held, while the server worked. */
static uint64_t watch(uint64_t so_far)
{
    uint64_t outbox_bytes = scenario_counter(&scenario, COUNTER_outbox_bytes);
    return outbox_bytes > so_far ? outbox_bytes : so_far;
}

Test(request_scenario, who_sends_a_thousand_requests_at_once_gets_a_thousand_answers, .timeout = 120)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        start(seed, FLAGS("--shards", "1", "--outbox-bytes-max", "300000", "--message-bytes-max", "1000"));
        struct api_client *client = api_client_join(&scenario, 0, seed % 2 ? 3000 : SEND_BUFFER);
        for (uint32_t i = 0; i < 1000; i++) {
            write_text(client, i % 10 == 9 ? GET_PAGE : GET);
        }
        bool is_half_closed = seed % 3 == 0;
        if (is_half_closed) fake_shutdown(client->client->socket);
        uint64_t most = 0;
        while (scenario_step(&scenario, 50)) {
            most = watch(most);
        }
        scenario_settle(&scenario);
        cr_assert_eq(client->answers_count, 1000, "%u, seed %lu", client->answers_count, seed);
        for (uint32_t i = 0; i < 1000; i++) {
            cr_assert_eq(client->answers[i].status, 200);
            cr_assert_eq(strcmp(client->answers[i].body, "OK\n") == 0, i % 10 != 9, "in their order");
        }
        cr_expect_leq(most, 2 * 64 * 1024, "%lu bytes waited, seed %lu", most, seed);
        cr_expect_eq(fake_is_at_end(client->client->socket), is_half_closed);
        stop();
    }
}

Test(request_scenario, who_never_reads_is_not_read_either_and_ends, .timeout = 60)
{
    start(1, FLAGS("--shards", "1"));
    struct api_client *client = api_client_join(&scenario, 0, 3000);
    client->client->is_reading = false;
    uint64_t most = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        write_text(client, GET_PAGE);
        scenario_step(&scenario, 0);
        most = watch(most);
    }
    cr_expect_leq(most, 2 * 64 * 1024);
    scenario_pass(&scenario, 29000);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_connections_open), 1);
    scenario_pass(&scenario, 2000);
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_STALE_READER)), 1);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_connections_open), 0);
    stop();
}

/* ---- time ---- */

/* Reads what is there, then not for a while, until nothing more has come. */
static void read_slowly(struct api_client *client, uint64_t pause_ms)
{
    uint32_t before;
    do {
        before = client->answers_count + (uint32_t)client->client->in_count;
        scenario_pass(&scenario, pause_ms);
        client->client->is_reading = true;
        client_read(client->client);
        client->client->is_reading = false;
    } while (client->answers_count + client->client->in_count != before);
}

Test(request_scenario, an_answer_has_the_time_that_its_reader_needs, .timeout = 60)
{
    static const char *const requests[] = {GET_PAGE, GET_LAST, GET_PAGE GET_PAGE GET_PAGE GET_LAST};
    for (uint64_t seed = 1; seed <= 6; seed++) {
        start(seed, FLAGS("--shards", "1"));
        struct api_client *client = api_client_join(&scenario, 0, 500);
        client->client->is_reading = false;
        write_text(client, requests[seed % 3]);
        uint64_t before_ms = fake_now_ms();
        read_slowly(client, seed <= 3 ? 3000 : 20000);
        cr_assert_eq(client->answers_count, seed % 3 == 2 ? 4 : 1, "seed %lu", seed);
        cr_expect_gt(fake_now_ms() - before_ms, 40000, "it took longer than any time for a request");
        stop();
    }
}

/* Are they still connected? */
static void expect_open(uint64_t count)
{
    cr_expect_eq(scenario_counter(&scenario, COUNTER_connections_open), count);
}

/* Takes a little now and then, for that many seconds: less than half of what fits into the socket, so that it does not
 * become writable. */
static void sip(struct api_client *client, uint32_t seconds)
{
    char piece[30];
    for (uint32_t i = 0; i < seconds; i++) {
        fake_read(client->client->socket, piece, sizeof piece);
        scenario_pass(&scenario, 1000);
    }
}

/* Goal: any progress of a reader counts, in every state that an answer is read in, be the socket writable or not; and
 * one that stands still ends in the time that it has. */
Test(request_scenario, a_line_that_is_slow_and_moves_is_not_cut, .timeout = 60)
{
    static const char *const requests[] = {GET_PAGE, GET_LAST, GET_PAGE};
    for (uint64_t seed = 1; seed <= 6; seed++) {
        bool is_half_closed = seed % 3 == 2;
        start(seed, FLAGS("--shards", "1", "--outbox-age-ms-max", "30s"));
        struct api_client *client = api_client_join(&scenario, 0, 5000);
        client->client->is_reading = false;
        write_text(client, requests[seed % 3]);
        scenario_settle(&scenario);
        if (is_half_closed) fake_shutdown(client->client->socket);
        sip(client, 65);
        expect_open(1);
        scenario_pass(&scenario, 21000);
        expect_open(1);
        scenario_pass(&scenario, 19000); /* from the look that saw the last progress */
        expect_open(0);
        stop();
    }
}

/* Goal: that the answer before has left is no end for one that is still to come. Method: the client reads the rest of
 * a page, asks a backend's question of another shard, and sends FIN, all in one breath. */
Test(request_scenario, who_reads_asks_and_half_closes_at_once_is_answered, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        char name[64];
        start(seed, FLAGS("--shards", "2", "--app", CHANNEL_APP));
        struct api_client *client = api_client_join(&scenario, 0, 5000);
        write_text(client, GET_PAGE);
        client->client->is_reading = false;
        scenario_settle(&scenario);
        for (bool is_last = false; !is_last;) {
            client->client->is_reading = true;
            client_read(client->client);
            client->client->is_reading = false;
            is_last = scenario_counter(&scenario, COUNTER_outbox_bytes) <= 5000;
            if (!is_last) scenario_settle(&scenario);
        }
        cr_assert_gt(scenario_counter(&scenario, COUNTER_outbox_bytes), 0);
        api_client_publish(client, channel_name(&scenario, "room", 1, 0, name), "ev", "x");
        fake_shutdown(client->client->socket);
        client->client->is_reading = true;
        scenario_settle(&scenario);
        cr_expect_eq(client->answers_count, 2, "%u, seed %lu", client->answers_count, seed);
        stop();
    }
}

Test(request_scenario, between_two_requests_a_connection_has_a_time_of_its_own, .timeout = 60)
{
    start(1, FLAGS("--shards", "1", "--guests"));
    struct api_client *idle = api_client_join(&scenario, 0, SEND_BUFFER);
    struct api_client *busy = api_client_join(&scenario, 0, SEND_BUFFER);
    struct api_client *halfway = api_client_join(&scenario, 0, SEND_BUFFER);
    struct api_client *mute = api_client_join(&scenario, 0, SEND_BUFFER);
    write_text(idle, GET);
    write_text(busy, GET);
    write_text(halfway, GET);
    scenario_pass(&scenario, 11000);
    expect_open(3);
    cr_expect(fake_is_at_end(mute->client->socket), "who has never asked has the time of a handshake");
    write_text(halfway, "GET / HT");
    scenario_pass(&scenario, 9000);
    expect_open(3);
    scenario_pass(&scenario, 2000);
    expect_open(2);
    cr_expect(fake_is_at_end(halfway->client->socket));
    write_text(busy, GET);
    scenario_pass(&scenario, 52000);
    expect_open(2);
    scenario_pass(&scenario, 2000);
    cr_expect(fake_is_at_end(idle->client->socket), "75 s after its answer");
    cr_expect_not(fake_is_at_end(busy->client->socket));
    fake_shutdown(idle->client->socket); /* it was told by a FIN, not by a reset, and answers so */
    scenario_settle(&scenario);
    expect_open(1);
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_HTTP_DONE)), 1);
    stop();
}

/* Also when it began before the answer in front of it had gone. */
Test(request_scenario, a_request_that_has_begun_has_no_time_to_be_idle, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        start(seed, FLAGS("--shards", "1"));
        struct api_client *client = api_client_join(&scenario, 0, 500);
        client->client->is_reading = false;
        write_text(client, GET_PAGE "GET / HT");
        scenario_settle(&scenario);
        client->client->is_reading = true;
        while (client->answers_count == 0) {
            client_read(client->client);
            scenario_step(&scenario, 0);
        }
        scenario_pass(&scenario, 9000);
        expect_open(1);
        scenario_pass(&scenario, 2000);
        expect_open(0);
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_HANDSHAKE_TIMEOUT)), 1);
        stop();
    }
}

/* ---- before and behind an upgrade ---- */

#define UPGRADE                                                                  \
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

Test(request_scenario, who_hangs_up_right_behind_an_upgrade_was_there, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char path[64];
        start(seed, FLAGS("--shards", "2"));
        scenario_room(&scenario, 1, 0, path);
        const struct client *reader = client_join(&scenario, 1, path, SEND_BUFFER);
        scenario_settle(&scenario);
        struct client *brief = client_join(&scenario, 0, path, SEND_BUFFER);
        bool says_something = seed % 2;
        if (says_something) client_say(brief, 0);
        fake_shutdown(brief->socket);
        scenario_settle(&scenario);
        cr_expect_eq(brief->status, 101, "%u, seed %lu", brief->status, seed);
        cr_expect(fake_is_at_end(brief->socket));
        cr_expect_eq(reader->heard_count, says_something, "seed %lu", seed);
        stop();
    }
}

/* With limits of what a room's clients may publish: what they are measured by is made after the upgrade. */
Test(request_scenario, who_is_cut_off_while_it_waits_for_its_room_leaves_nothing, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char path[64];
        start(seed, FLAGS("--shards", "2", "--room-messages-per-second", "5"));
        scenario_room(&scenario, 1, 0, path);
        for (uint32_t i = 0; i < 10; i++) {
            struct client *client = client_join(&scenario, 0, path, SEND_BUFFER);
            for (uint32_t steps = fake_random(4); steps > 0; steps--) {
                scenario_step(&scenario, 0);
            }
            fake_reset(client->socket);
        }
        scenario_settle(&scenario);
        stop();
    }
}

Test(request_scenario, too_much_behind_an_upgrade_is_refused_with_a_sentence, .timeout = 60)
{
    uint32_t refused = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        start(seed, FLAGS("--shards", "2", "--receive-buffers", "64"));
        char path[64], request[300];
        scenario_room(&scenario, 1, 0, path);
        struct api_client *client = api_client_join(&scenario, 0, SEND_BUFFER);
        snprintf(request, sizeof request, "GET %s%s", path, UPGRADE + strlen("GET /"));
        write_text(client, request);
        client->client->understand = NULL; /* answers may be those to a WebSocket */
        client_flood(client->client, 1500);
        scenario_settle(&scenario);
        refused += client->client->status == 400;
        cr_assert(client->client->status == 101 || client->client->status == 400, "seed %lu", seed);
        if (client->client->status == 400) {
            cr_expect_not_null(memmem(client->client->in, client->client->in_count, "wait for its answer.\n", 21));
            fake_shutdown(client->client->socket);
            scenario_settle(&scenario);
        }
        stop();
    }
    cr_expect_gt(refused, 0);
}

/* ---- at a stop ---- */

static void expect_last(const struct api_client *client, unsigned status, const char *what, uint64_t seed)
{
    cr_assert_gt(client->answers_count, 0, "%s, seed %lu", what, seed);
    const struct api_answer *last = &client->answers[client->answers_count - 1];
    cr_expect_eq(last->status, status, "%s: %u, seed %lu", what, last->status, seed);
    cr_expect_not_null(strstr(last->head, "\r\nConnection: close\r\n"), "%s, seed %lu", what, seed);
    cr_expect(fake_is_at_end(client->client->socket), "%s, seed %lu", what, seed);
}

/* Runs until the server has ended, or for that long. */
static void run_for(uint64_t ms)
{
    for (uint64_t until_ms = fake_now_ms() + ms; fake_now_ms() < until_ms && !server_has_ended(&scenario.server);) {
        scenario_step(&scenario, until_ms - fake_now_ms());
    }
}

/* Goal: whoever waits at the door because the house is full has no reset at the end either. */
Test(request_scenario, at_a_stop_those_who_wait_before_a_full_house_are_answered, .timeout = 60)
{
    enum { HOUSE = 10, WAITING = 5 };
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct api_client *waiting[WAITING];
        start(seed, FLAGS("--shards", "1", "--connections-max", "10"));
        for (uint32_t i = 0; i < HOUSE; i++) {
            write_text(api_client_join(&scenario, 0, SEND_BUFFER), ASK);
        }
        scenario_pass(&scenario, 1000);
        for (uint32_t i = 0; i < WAITING; i++) {
            waiting[i] = api_client_join(&scenario, 0, SEND_BUFFER);
            write_text(waiting[i], ASK);
        }
        scenario_pass(&scenario, 1000);
        cr_assert_eq(waiting[0]->answers_count, 0, "the house is full");
        server_set_stage(&scenario.server, SERVER_STOPPING);
        run_for(5000);
        cr_assert(server_has_ended(&scenario.server), "seed %lu", seed);
        for (uint32_t i = 0; i < WAITING; i++) {
            expect_last(waiting[i], 200, "before a full house", seed);
        }
        stop();
    }
}

Test(request_scenario, at_a_stop_whoever_is_in_or_waits_at_the_door_is_answered, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        char path[64];
        start(seed, FLAGS("--shards", "2", "--guests"));
        scenario_room(&scenario, 1, 0, path);
        struct api_client *idle = api_client_join(&scenario, 0, SEND_BUFFER);
        write_text(idle, ASK);
        scenario_pass(&scenario, 1000);
        struct api_client *used = api_client_join(&scenario, 0, SEND_BUFFER);
        struct api_client *halfway = api_client_join(&scenario, 0, SEND_BUFFER);
        write_text(used, ASK);
        write_text(halfway, "GET / HT");
        scenario_settle(&scenario);
        struct api_client *mute = api_client_join(&scenario, 0, SEND_BUFFER); /* at the door, as those that follow */
        struct api_client *newcomer = api_client_join(&scenario, 0, SEND_BUFFER);
        struct api_client *late = api_client_join(&scenario, 1, SEND_BUFFER);
        struct api_client *late_socket = api_client_join(&scenario, 1, SEND_BUFFER);
        write_text(newcomer, GET_PAGE ASK);
        struct client *member = client_join(&scenario, 0, path, SEND_BUFFER);
        for (uint32_t steps = fake_random(4); steps > 0; steps--) {
            scenario_step(&scenario, 0);
        }
        server_set_stage(&scenario.server, SERVER_STOPPING);
        run_for(100);
        cr_assert_not(server_has_ended(&scenario.server));
        cr_expect(fake_is_at_end(idle->client->socket), "nothing of it was under way, seed %lu", seed);
        write_text(used, ASK);
        write_text(late, ASK);
        write_text(late_socket, UPGRADE);
        run_for(5000);
        cr_assert(server_has_ended(&scenario.server), "seed %lu", seed);
        cr_expect_eq(idle->answers_count, 1);
        expect_last(used, 200, "used", seed);
        cr_expect_eq(used->answers_count, 2);
        expect_last(halfway, 503, "halfway", seed);
        cr_expect_not_null(strstr(halfway->answers[0].head, "\r\nRetry-After: 1\r\n"));
        if (newcomer->answers_count != 2) expect_last(newcomer, 200, "newcomer", seed);
        expect_last(late, 200, "late", seed);
        expect_last(late_socket, 503, "late socket", seed);
        cr_expect(mute->answers_count == 0 && fake_is_at_end(mute->client->socket));
        cr_expect(member->status == 503 || (member->status == 101 && member->code == 1001), "%u, %u, seed %lu",
                  member->status, member->code, seed);
        stop();
    }
}
