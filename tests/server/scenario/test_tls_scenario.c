/* tests/server/scenario/test_tls_scenario.c - a whole server on the fake kernel, and clients of its TLS address: which
 * handshakes are computed when, who is accepted meanwhile, and that the end of a connection is heard in every state. */
#include "core/span.h"
#include "server/connection/accept.h"
#include "server/connection/connection.h"
#include "server/connection/secure.h"
#include "tests/support/scenario.h"
#include "tests/support/tls_client.h"
#include "tests/support/tls_server.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define SECURE_LISTENER 1
#define HERD            60
#define SEEDS           12

static struct scenario scenario;

/* A client over TLS; what it does is up to the test. */
struct guest {
    struct fake_socket *socket;
    struct tls_client *tls;
    char heard[4096]; /* plaintext */
    size_t heard_count;
    bool was_answered; /* the server has sent something */
};

/* With these flags, NULL-terminated. */
static void start_with(uint64_t seed, const char *const flags[])
{
    static struct made_certificate pair;
    static const char *certificate, *key;
    if (certificate == NULL) {
        cr_assert_eq(tls_global_init(), RC_OK);
        made_certificate(&pair, (struct made_wish){.subject = "server"});
        certificate = made_file(pair.certificate);
        key = made_file(pair.key);
    }
    const char *all[20] = {"--shards",   "1",         "--tls-listen", "127.0.0.1:0",
                           "--tls-cert", certificate, "--tls-key",    key};
    for (size_t i = 0; flags[i] != NULL; i++)
        all[8 + i] = flags[i];
    scenario_start(&scenario, seed, all);
}

static void start(uint64_t seed, const char *flag, const char *value)
{
    start_with(seed, (const char *[]){flag, value, NULL});
}

static struct guest guest_connect_through(size_t send_buffer, struct tls_client_wish wish)
{
    struct ring *ring = scenario.server.shards[0].ring;
    struct guest guest = {.socket = fake_connect_to(ring, SECURE_LISTENER, send_buffer), .tls = tls_client_new(wish)};
    cr_assert_not_null(guest.tls);
    return guest;
}

static struct guest guest_connect_as(struct tls_client_wish wish)
{
    return guest_connect_through((size_t)1 << 20, wish);
}

static struct guest guest_connect(unsigned version)
{
    return guest_connect_as((struct tls_client_wish){.version = version});
}

/* Sends what it has for the server. */
static void guest_send(struct guest *guest)
{
    fake_write(guest->socket, guest->tls->out.at, guest->tls->out.count);
    tls_client_taken(guest->tls, guest->tls->out.count);
}

/* Takes what has come, and what it leads to. */
static void guest_take(struct guest *guest)
{
    uint8_t bytes[4096];
    for (size_t count; (count = fake_read(guest->socket, bytes, sizeof bytes)) > 0;) {
        guest->was_answered = true;
        tls_client_give(guest->tls, bytes, count);
    }
    if (!guest->tls->is_open) tls_client_handshake(guest->tls);
    for (int count = 1; guest->tls->is_open && count > 0 && guest->heard_count < sizeof guest->heard;) {
        count = tls_client_read(guest->tls, (uint8_t *)guest->heard + guest->heard_count,
                                sizeof guest->heard - guest->heard_count);
        if (count > 0) guest->heard_count += (size_t)count;
    }
}

static void guest_greet(struct guest *guest)
{
    tls_client_handshake(guest->tls);
    guest_send(guest);
}

static void stop(struct guest *guests, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fake_shutdown(guests[i].socket);
    scenario_stop(&scenario);
    for (size_t i = 0; i < count; i++) {
        tls_client_free(guests[i].tls);
        fake_socket_free(guests[i].socket);
    }
}

/* ---- ends ---- */

/* Shakes hands; its last flight waits to be sent, with these words behind it (TLS 1.3, where it may). */
static struct guest guest_before_last_flight(unsigned version, const char *words)
{
    struct guest guest = guest_connect(version);
    guest_greet(&guest);
    while (guest.tls->out.count == 0) {
        scenario_step(&scenario, 50);
        guest_take(&guest);
    }
    if (version == 12) return guest;
    cr_assert(guest.tls->is_open);
    if (words[0] != '\0') cr_assert_gt(tls_client_write(guest.tls, (const uint8_t *)words, strlen(words)), 0);
    return guest;
}

/* The end that comes in one packet with the last flight is heard at once, not when a timer runs out. */
Test(tls_scenario, an_end_behind_the_last_flight_is_heard, .timeout = 60)
{
    static const char *const words[] = {
        "", "GET /up HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        for (size_t i = 0; i < 3; i++) {
            unsigned version = i == 0 && seed % 2 == 0 ? 12 : 13;
            start(seed, NULL, NULL);
            struct guest guest = guest_before_last_flight(version, words[i]);
            guest_send(&guest);
            fake_shutdown(guest.socket);
            uint64_t begun_ms = fake_now_ms();
            while (scenario_counter(&scenario, COUNTER_connections_open) > 0 && fake_now_ms() < begun_ms + 9000) {
                scenario_step(&scenario, 50);
            }
            uint64_t took_ms = fake_now_ms() - begun_ms;
            cr_expect_lt(took_ms, 4000, "seed %lu, %zu: %lu ms", seed, i, took_ms);
            guest_take(&guest);
            if (i == 1) cr_expect_not_null(memmem(guest.heard, guest.heard_count, "200 OK", 6), "seed %lu", seed);
            stop(&guest, 1);
        }
    }
}

/* Shakes hands up to its last flight, which waits to be sent. */
static void guest_almost_open(struct guest *guest)
{
    guest_greet(guest);
    while (guest->tls->out.count == 0) {
        scenario_step(&scenario, 50);
        guest_take(guest);
    }
}

/* More than waits for a handshake stays in the socket; what is said behind the last flight is heard all the same.
 * Method: a client of TLS 1.2 that comes again, behind whose flight the server has none. */
Test(tls_scenario, much_behind_the_last_flight_is_heard, .timeout = 60)
{
    static const char asks[] = "GET /app/key?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    static const uint8_t ping[] = {0x89, 0x84, 0, 0, 0, 0, 'l', 'a', 's', 't'};
    static const uint8_t pongs[1000][6] = {[0 ... 999] = {0x8a, 0x80}}; /* nobody asked for them */
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        start(seed, "--app", "1:key:secret");
        struct guest guests[2] = {guest_connect(12)};
        guest_almost_open(&guests[0]);
        guest_send(&guests[0]);
        scenario_settle(&scenario);
        guest_take(&guests[0]);
        cr_assert_eq(tls_client_keep(guests[0].tls), 0);
        guests[1] = guest_connect_as((struct tls_client_wish){.version = 12, .session = &guests[0].tls->session});
        guest_almost_open(&guests[1]);
        cr_assert(guests[1].tls->is_open, "it comes again");
        cr_assert_gt(tls_client_write(guests[1].tls, (const uint8_t *)asks, strlen(asks)), 0);
        for (int i = 0; i < 5; i++) {
            cr_assert_eq(tls_client_write(guests[1].tls, pongs[0], sizeof pongs), (int)sizeof pongs);
        }
        cr_assert_gt(tls_client_write(guests[1].tls, ping, sizeof ping), 0);
        guest_send(&guests[1]);
        scenario_settle(&scenario);
        guest_take(&guests[1]);
        cr_expect_not_null(memmem(guests[1].heard, guests[1].heard_count, "last", 4), "seed %lu", seed);
        stop(guests, 2);
    }
}

/* Its time is not begun anew with each piece of a flight. */
Test(tls_scenario, a_hello_that_drips_ends_in_time, .timeout = 60)
{
    start(3, "--handshake-ms-max", "3000");
    struct guest guest = guest_connect(13);
    tls_client_handshake(guest.tls);
    uint64_t begun_ms = fake_now_ms();
    for (size_t i = 0; i < guest.tls->out.count && !fake_is_at_end(guest.socket); i++) {
        fake_write(guest.socket, guest.tls->out.at + i, 1);
        scenario_pass(&scenario, 100);
    }
    cr_expect(fake_is_at_end(guest.socket));
    cr_expect_lt(fake_now_ms() - begun_ms, 3500);
    cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_HANDSHAKE_TIMEOUT)), 1);
    stop(&guest, 1);
}

/* ---- no TLS at all ---- */

/* The answer in plain text is one to HTTP: to a HEAD it has no body, however TCP cuts the request. */
Test(tls_scenario, plain_requests_are_told_of_tls_and_a_head_without_a_body, .timeout = 60)
{
    static const struct {
        const char *request;
        size_t first; /* so much of it comes alone */
        bool has_body;
    } rows[] = {
        {"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 25, false}, {"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 6, false},
        {"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", 1, false},  {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 24, true},
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1, true},    {"\x80\x2e\x01\x03\x01 of SSL 2", 5, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char answer[1024];
        start(i + 1, NULL, NULL);
        struct guest guest = guest_connect(13);
        fake_write(guest.socket, rows[i].request, rows[i].first);
        scenario_settle(&scenario);
        fake_write(guest.socket, rows[i].request + rows[i].first, strlen(rows[i].request) - rows[i].first);
        scenario_settle(&scenario);
        size_t count = fake_read(guest.socket, answer, sizeof answer);
        const char *end = memmem(answer, count, "\r\n\r\n", 4);
        cr_assert_not_null(end, "%zu", i);
        cr_expect_not_null(memmem(answer, count, "400 Bad Request", 15), "%zu", i);
        cr_expect_eq(end + 4 < answer + count, rows[i].has_body, "%zu", i);
        cr_expect_eq(memmem(answer, count, "This address speaks TLS", 23) != NULL, rows[i].has_body, "%zu", i);
        stop(&guest, 1);
    }
}

/* ---- a herd ---- */

static size_t count_answered(struct guest *guests)
{
    size_t count = 0;
    for (size_t i = 0; i < HERD; i++) {
        guest_take(&guests[i]);
        if (guests[i].was_answered) count++;
    }
    return count;
}

/* Who has begun is done before others begin; and others are not even accepted before their turn. */
Test(tls_scenario, begun_handshakes_come_first_and_newcomers_wait_unaccepted, .timeout = 60)
{
    static struct guest guests[HERD];
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        start(seed, "--ping-ms", "60s");
        for (size_t i = 0; i < HERD; i++) {
            guests[i] = guest_connect(i % 2 == 0 ? 12 : 13);
            guest_greet(&guests[i]);
        }
        for (size_t answered = 0; answered < HERD;) {
            scenario_step(&scenario, 50);
            answered = count_answered(guests);
            uint64_t accepted = scenario_counter(&scenario, COUNTER_connections_accepted);
            uint64_t done = scenario_counter(&scenario, COUNTER_tls_handshakes);
            cr_assert_leq(accepted, answered + 16, "seed %lu: %lu accepted, %zu begun", seed, accepted, answered);
            cr_assert_geq(done + 16, answered, "seed %lu: %lu done, %zu begun", seed, done, answered);
            for (size_t i = 0; i < HERD; i++)
                guest_send(&guests[i]);
        }
        scenario_settle(&scenario);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_tls_handshakes), HERD);
        stop(guests, HERD);
    }
}

/* Method: one hello in a turn, and so many before the last flight that it comes, in pieces, while some wait. */
Test(tls_scenario, who_has_begun_is_not_queued_behind_hellos, .timeout = 60)
{
    enum { BEHIND = 24 };
    static struct guest guests[1 + BEHIND];
    for (uint64_t seed = 1; seed <= 3; seed++) {
        start(seed, "--tls-handshakes", "1");
        const struct shard *shard = &scenario.server.shards[0];
        guests[0] = guest_before_last_flight(seed % 2 == 0 ? 12 : 13, "");
        for (size_t i = 1; i <= BEHIND; i++) {
            guests[i] = guest_connect(13);
            tls_client_handshake(guests[i].tls);
        }
        while (scenario_counter(&scenario, COUNTER_connections_accepted) < 1 + BEHIND) {
            scenario_step(&scenario, 50);
        }
        for (size_t i = 1; i <= BEHIND; i++)
            guest_send(&guests[i]);
        while (shard->tls.hellos.count < BEHIND / 2) {
            scenario_step(&scenario, 50);
        }
        guest_send(&guests[0]);
        while (scenario_counter(&scenario, COUNTER_tls_handshakes) == 0) {
            scenario_step(&scenario, 50);
        }
        cr_expect_gt(shard->tls.hellos.count, 0, "seed %lu", seed);
        stop(guests, 1 + BEHIND);
    }
}

/* Goal: a herd waits in the backlog of the kernel. Method: from several addresses more come in a turn than begin; each
 * says the first byte of a hello, which is cheap to look at. */
Test(tls_scenario, nobody_is_accepted_while_many_hellos_wait, .timeout = 60)
{
    enum { ADDRESSES = 3, CROWD = 2 * ACCEPT_HELLOS_MAX, LATE = 40 /* accepted, and their byte has not come */ };
    static struct fake_socket *crowd[CROWD];
    start_with(1, (const char *[]){"--tls-listen", "127.0.0.2:0", "--tls-listen", "127.0.0.3:0", "--connections-max",
                                   "1000", "--tls-handshakes", "1", NULL});
    const struct shard *shard = &scenario.server.shards[0];
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = fake_connect_to(shard->ring, SECURE_LISTENER + i % ADDRESSES, 65536);
        fake_write(crowd[i], (const uint8_t[]){MBEDTLS_SSL_MSG_HANDSHAKE}, 1);
    }
    uint32_t most = 0;
    for (uint32_t full = 0; full < 60; full += shard->tls.hellos.count >= ACCEPT_HELLOS_MAX) {
        scenario_step(&scenario, 50);
        if (shard->tls.hellos.count > most) most = shard->tls.hellos.count;
    }
    cr_expect_leq(most, ACCEPT_HELLOS_MAX + LATE, "%u waited", most);
    for (size_t i = 0; i < CROWD; i++)
        fake_reset(crowd[i]);
    stop(NULL, 0);
    for (size_t i = 0; i < CROWD; i++)
        fake_socket_free(crowd[i]);
}

/* Nothing is computed for those who have given up before it was their turn. */
Test(tls_scenario, who_has_gone_is_not_computed_for, .timeout = 60)
{
    static struct guest guests[HERD];
    start(5, "--ping-ms", "60s");
    for (size_t i = 0; i < HERD; i++) {
        guests[i] = guest_connect(13);
        guest_greet(&guests[i]);
        if (i != HERD / 2) fake_shutdown(guests[i].socket);
    }
    scenario_settle(&scenario);
    cr_expect_eq(count_answered(guests), 1);
    uint64_t begun = scenario_counter(&scenario, COUNTER_tls_begun);
    cr_expect_lt(begun, HERD / 4, "%lu", begun); /* of some the hello comes alone, when it is their turn */
    cr_expect(guests[HERD / 2].was_answered);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_connections_open), 1);
    stop(guests, HERD);
}

/* ---- readers who do not read ---- */

static uint32_t most_unsent(void)
{
    const struct shard *shard = &scenario.server.shards[0];
    uint32_t most = 0;
    for (uint32_t slot = 0; slot < shard->slots_used; slot++) {
        const struct connection *connection = &shard->connections[slot];
        if (connection_has_unsent(connection) && connection->unsent->count > most) most = connection->unsent->count;
    }
    return most;
}

/* Goal: outside the outbox, where a slow reader has its bound, no more waits than a record; what the session says of
 * itself has hardly a place in it. Method: a wish to shake hands again is answered with a warning. */
Test(tls_scenario, who_does_not_read_has_one_record_unsent_whatever_it_asks_for, .timeout = 60)
{
    static const char asks[] = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for (uint64_t seed = 1; seed <= 3; seed++) {
        start(seed, "--ping-ms", "60s");
        struct client *speaker = client_join(&scenario, 0, "/", 65536);
        struct guest guest =
            guest_connect_through(4096, (struct tls_client_wish){.version = 12, .renegotiates = true});
        guest_almost_open(&guest);
        guest_send(&guest);
        scenario_settle(&scenario);
        guest_take(&guest);
        cr_assert(guest.tls->is_open);
        cr_assert_gt(tls_client_write(guest.tls, (const uint8_t *)asks, strlen(asks)), 0);
        guest_send(&guest);
        scenario_settle(&scenario);
        client_say(speaker, 40000);
        scenario_settle(&scenario);
        uint32_t most = most_unsent();
        cr_assert_gt(most, 8192, "it is stuck in a record");
        for (uint32_t i = 0; i < 200; i++) {
            tls_client_renegotiate(guest.tls);
            guest_send(&guest);
            scenario_step(&scenario, 50);
            if (most_unsent() > most) most = most_unsent();
        }
        cr_expect_leq(most, SECURE_SCRATCH_BYTES, "seed %lu: %u bytes", seed, most);
        fake_reset(guest.socket);
        stop(&guest, 1);
    }
}
