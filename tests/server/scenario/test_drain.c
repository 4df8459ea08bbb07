/* tests/server/scenario/test_drain.c - the stages of a stop on a whole server with a fake kernel: who is served until
 * when, and when clients are told goodbye.
 *
 * Method: that of tests/server/scenario/test_scenario.c; the main thread's part, server/run/stop.c, goes by the fake
 * clock. */
#include "net/frame.h"
#include "server/run/stop.h"
#include "tests/support/api_client.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define FLAGS(...)  ((const char *const[]){"--app", CHANNEL_APP, __VA_ARGS__ __VA_OPT__(, ) NULL})
#define SEND_BUFFER 65536
#define DELAY_MS    2000
#define DRAIN_MS    10000
#define DRAIN_FLAGS "--drain-delay-ms", "2s", "--drain-ms", "10s"
#define SHARDS      2
#define CROWD       240

static struct scenario scenario;
static struct stop stop;
static uint64_t told_ms[SCENARIO_CLIENTS_MAX]; /* since the first signal; 0: not yet */
static uint64_t began_ms;

static void start(uint64_t seed, const char *const flags[])
{
    scenario_start(&scenario, seed, flags);
    stop = (struct stop){0};
    memset(told_ms, 0, sizeof told_ms);
}

static void begin(void)
{
    began_ms = fake_now_ms();
    stop_begin(&stop, &scenario.server, began_ms);
}

static void note_told(void)
{
    for (uint32_t i = 0; i < scenario.clients_count; i++) {
        if (scenario.clients[i].code != 0 && told_ms[i] == 0) told_ms[i] = fake_now_ms() - began_ms;
    }
}

/* Until so long after the first signal, or the end. False: it has ended. */
static bool run_until(uint64_t ms)
{
    bool goes_on = true;
    while (goes_on && fake_now_ms() < began_ms + ms) {
        scenario_step(&scenario, STOP_LOOK_MS);
        for (uint32_t i = 0; i < scenario.clients_count; i++) {
            client_read(&scenario.clients[i]);
        }
        note_told();
        goes_on = stop_go_on(&stop, &scenario.server, fake_now_ms());
    }
    return goes_on;
}

static uint32_t told_between(uint64_t from_ms, uint64_t to_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < scenario.clients_count; i++) {
        if (told_ms[i] > from_ms && told_ms[i] <= to_ms) count++;
    }
    return count;
}

/* So many clients, one after the other, each on the shard whose turn it is. */
static void let_in(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        client_join(&scenario, i % SHARDS, i % 3 ? "/" : "/room/other", SEND_BUFFER);
    }
    scenario_settle(&scenario);
}

/* Goal: in any second no more than one and a half times as many as evenly, but for what each shard rounds; nobody
 * before the time or after it. */
static void expect_even(uint32_t count, uint64_t seed)
{
    cr_expect_eq(told_between(0, DELAY_MS), 0, "seed %lu", seed);
    cr_expect_eq(told_between(DELAY_MS, DELAY_MS + DRAIN_MS + 200), count, "seed %lu", seed);
    for (uint64_t from_ms = DELAY_MS; from_ms < DELAY_MS + DRAIN_MS; from_ms += 100) {
        uint32_t told = told_between(from_ms, from_ms + 1000), even = (uint32_t)(count * 1000 / DRAIN_MS);
        cr_expect_leq(told, even + even / 2 + 2 * SHARDS, "%u from %lu, seed %lu", told, from_ms, seed);
    }
}

Test(drain, clients_are_told_goodbye_evenly_and_a_herd_not_at_once, .timeout = 60)
{
    enum { HERD = 20 };
    for (uint64_t seed = 1; seed <= 4; seed++) {
        start(seed, FLAGS("--shards", "2", DRAIN_FLAGS));
        let_in(CROWD);
        begin();
        cr_assert_not(run_until(DELAY_MS + DRAIN_MS + 5000), "seed %lu", seed);
        expect_even(CROWD, seed);
        for (uint32_t first = 0; first + HERD <= CROWD; first += HERD) {
            uint64_t least_ms = UINT64_MAX, most_ms = 0;
            for (uint32_t i = first; i < first + HERD; i++) {
                cr_assert_eq(scenario.clients[i].code, 1001);
                if (told_ms[i] < least_ms) least_ms = told_ms[i];
                if (told_ms[i] > most_ms) most_ms = told_ms[i];
            }
            cr_expect_gt(most_ms - least_ms, DRAIN_MS / 2, "clients %u and behind it, seed %lu", first, seed);
        }
        scenario_stop(&scenario);
    }
}

Test(drain, it_is_even_also_where_most_have_gone_before, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        start(seed, FLAGS("--shards", "2", DRAIN_FLAGS, "--drain-reconnect"));
        let_in(CROWD);
        for (uint32_t i = 0; i < CROWD; i++) {
            if (i < CROWD / 2 || i >= 3 * CROWD / 4) client_close(&scenario.clients[i], 1000);
        }
        scenario_settle(&scenario);
        begin();
        for (uint32_t i = 0; i < CROWD; i++) {
            client_read(&scenario.clients[i]);
            if (scenario.clients[i].code != 0) told_ms[i] = UINT64_MAX; /* it has gone by itself */
        }
        cr_assert_not(run_until(DELAY_MS + DRAIN_MS + 5000), "seed %lu", seed);
        expect_even(CROWD / 4, seed);
        cr_expect_eq(scenario.clients[CROWD / 2].code, 1012);
        scenario_stop(&scenario);
    }
}

static void write_upgrade(struct api_client *backend)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    fake_write(backend->client->socket, request, sizeof request - 1);
}

static void get(struct api_client *backend, const char *path)
{
    char request[100];
    int count = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    fake_write(backend->client->socket, request, (size_t)count);
}

/* What stands at /up and /health, asked by somebody new. */
static void expect_ready(unsigned status, uint64_t until_ms)
{
    static const char *const paths[] = {"/up", "/health"};
    for (size_t i = 0; i < 2; i++) {
        struct api_client *balancer = api_client_join(&scenario, 0, SEND_BUFFER);
        get(balancer, paths[i]);
        run_until(until_ms - (1 - i) * 200);
        const char *body = api_client_last(balancer, status);
        cr_expect_str_eq(body, status == 200 ? (i ? "{\"store\":\"none\"}" : "OK\n")
                                             : (i ? "{\"store\":\"none\",\"draining\":true}" : "draining\n"));
        fake_shutdown(balancer->client->socket);
    }
}

static void expect_published(struct api_client *backend, uint64_t until_ms)
{
    api_client_publish(backend, "news", "ev", "x");
    run_until(until_ms);
    cr_expect_str_eq(api_client_last(backend, 200), "{}");
}

/* Goal: up to the end of the delay all is as before but for what balancers look at, newcomers too; from then on no
 * WebSocket is let in, and backends, also new ones, are served until the last client has been told. */
Test(drain, each_stage_serves_whom_it_should, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        start(seed, FLAGS("--shards", "2", DRAIN_FLAGS));
        let_in(60);
        struct api_client *backend = api_client_join(&scenario, 1, SEND_BUFFER);
        begin();
        expect_ready(503, 1000);
        struct client *newcomer = client_join(&scenario, 0, "/", SEND_BUFFER);
        expect_published(backend, 1500);
        cr_expect_eq(newcomer->status, 101, "seed %lu", seed);
        cr_expect_eq(told_between(0, 1500), 0);
        run_until(DELAY_MS + 500);
        struct api_client *late = api_client_join(&scenario, 1, SEND_BUFFER);
        write_upgrade(late);
        expect_published(backend, DELAY_MS + 1000);
        api_client_last(late, 503);
        cr_expect_not_null(strstr(late->answers[0].head, "\r\nConnection: close\r\n"));
        cr_expect_not_null(strstr(late->answers[0].head, "\r\nRetry-After: 1\r\n"));
        run_until(DELAY_MS + DRAIN_MS - 1000);
        struct api_client *late_backend = api_client_join(&scenario, 0, SEND_BUFFER);
        expect_published(late_backend, DELAY_MS + DRAIN_MS - 500);
        expect_published(backend, DELAY_MS + DRAIN_MS - 200);
        cr_assert_not(run_until(DELAY_MS + DRAIN_MS + 5000), "seed %lu", seed);
        cr_expect_eq(told_between(DELAY_MS, DELAY_MS + DRAIN_MS + 200), 61, "seed %lu", seed);
        scenario_stop(&scenario);
    }
}

Test(drain, a_server_is_ready_until_it_is_told_to_stop, .timeout = 30)
{
    start(1, FLAGS("--shards", "2"));
    expect_ready(200, fake_now_ms() + 400);
    scenario_stop(&scenario);
}

/* Goal: nobody waits for a time that nobody needs. */
Test(drain, with_nobody_there_it_ends_when_the_delay_is_over, .timeout = 30)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        start(seed, FLAGS("--shards", "2", DRAIN_FLAGS, "--drain-ms-max", "1s"));
        let_in(20);
        for (uint32_t i = 0; i < 20; i++) {
            client_close(&scenario.clients[i], 1000);
        }
        scenario_settle(&scenario);
        begin();
        cr_expect(run_until(DELAY_MS - 100), "seed %lu", seed);
        cr_expect_not(run_until(DELAY_MS + 2000), "seed %lu", seed);
        scenario_stop(&scenario);
    }
}

Test(drain, a_second_signal_ends_it_in_whichever_stage_it_is, .timeout = 30)
{
    static const uint64_t at_ms[] = {500, DELAY_MS + 500, DELAY_MS + DRAIN_MS + 50};
    static const enum server_stage stages[] = {SERVER_LEAVING, SERVER_CLEARING, SERVER_STOPPING};
    for (size_t i = 0; i < sizeof at_ms / sizeof at_ms[0]; i++) {
        start(i + 1, FLAGS("--shards", "2", DRAIN_FLAGS, "--close-ms-max", "1h", "--drain-ms-max", "1h"));
        let_in(20);
        scenario.clients[0].is_mute = true;
        begin();
        cr_assert(run_until(at_ms[i]));
        cr_expect_eq(stop.stage, stages[i]);
        stop_now(&stop, &scenario.server);
        cr_expect_not(run_until(at_ms[i] + 100));
        scenario_free(&scenario);
    }
}

/* Goal: a process that stood still does not make up for it by closing all at once. */
Test(drain, a_pause_of_the_process_moves_the_goodbyes, .timeout = 30)
{
    start(1, FLAGS("--shards", "2", DRAIN_FLAGS, "--pong-ms-max", "1h"));
    let_in(100);
    begin();
    run_until(DELAY_MS + 5000);
    uint32_t told = told_between(0, UINT64_MAX - 1);
    fake_kernel_stall(8000);
    run_until(DELAY_MS + 5000 + 8000 + 500);
    cr_expect_leq(told_between(0, UINT64_MAX - 1), told + 15);
    cr_expect_not(run_until(DELAY_MS + DRAIN_MS + 8000 + 5000));
    scenario_stop(&scenario);
}
