/* tests/server/scenario/memory/test_memory.c - a whole server on the fake kernel while allocations fail: who loses
 * something is closed and knows it, everybody else goes on, and nothing is left behind.
 *
 * Method: that of tests/support/scarce.h. Mailboxes are large, for a letter that cannot even be spilled ends the
 * process on purpose. */
#include "server/connection/connection.h"
#include "tests/support/api_client.h"
#include "tests/support/scarce_steps.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS      3
#define SEND_BUFFER 20000

static struct scenario scenario;

/* ---- the tests ---- */

static const char *const rooms[] = {"/", "/room/a", "/room/b"};

static bool is_here(const struct client *client)
{
    return client->status == 101 && client->code == 0 && !fake_is_at_end(client->socket);
}

static void busy_times(uint32_t one_in)
{
    for (uint32_t action = 0; action < 400; action++) {
        if (scenario.clients_count < 100 && fake_random(4) == 0) {
            client_join(&scenario, fake_random(SHARDS), rooms[fake_random(3)], SEND_BUFFER);
        }
        struct client *client = &scenario.clients[fake_random(scenario.clients_count)];
        if (fake_random(15) == 0) {
            client_close(client, 1000);
        } else if (is_here(client)) {
            for (uint32_t left = fake_random(10); left > 0; left--) {
                client_say(client, fake_random(5) == 0 ? fake_random(5000) : 0);
            }
        }
        scarce_steps(&scenario, fake_random(10), one_in);
    }
}

Test(memory, while_it_is_short_some_are_closed_and_nothing_is_left_behind, .timeout = 120)
{
    uint64_t closed = 0;
    atomic_store(&log_level_now, -1); /* its errors are what we cause */
    for (uint64_t seed = 1; seed <= 12; seed++) {
        const char *limit = seed % 2 == 0 ? "0" : "100000"; /* which is remembered for each who speaks */
        scenario_start(&scenario, seed,
                       (const char *const[]){"--shards", "3", "--mailbox-letters", "16384",
                                             "--room-messages-per-second", limit, NULL});
        client_join(&scenario, 0, "/", SEND_BUFFER);
        scenario_settle(&scenario);
        busy_times(20 + 40 * (uint32_t)seed);
        scenario_settle(&scenario);
        scenario_pass(&scenario, 20000); /* who waits for a home that has no memory gives up */

        /* Enough again: everyone who is still here hears what is said. */
        uint32_t before[SCENARIO_CLIENTS_MAX], count = scenario.clients_count;
        for (uint32_t i = 0; i < count; i++) {
            before[i] = scenario.clients[i].heard_count;
        }
        for (uint32_t i = 0; i < 3; i++) {
            struct client *speaker = client_join(&scenario, i, rooms[i], SEND_BUFFER);
            scenario_settle(&scenario);
            client_say(speaker, 0);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < count; i++) {
            struct client *client = &scenario.clients[i];
            if (is_here(client)) cr_expect_eq(client->heard_count, before[i] + 1, "client %u, seed %lu", i, seed);
        }
        closed += scenario_counter(&scenario, counter_of_close(CLOSE_NO_MEMORY));
        scenario_stop(&scenario);
    }
    cr_expect_gt(closed, 0);
    cr_expect_gt(scarce_failures, 100);
}

/* ---- an end that leaves nothing under way ---- */

/* Asks what needs another shard's answer, and goes on sending until it is not read any more. */
static void ask_and_send_on(struct client *client)
{
    char *request = api_request("GET", "/channels", "", "");
    char more[3000];
    memset(more, 'x', sizeof more);
    fake_write(client->socket, request, strlen(request));
    fake_write(client->socket, more, sizeof more);
    free(request);
}

/* True: its receive is over, and its answer has not come yet. */
static bool until_unread(const struct connection *connection)
{
    for (uint32_t steps = 0; steps < 200; steps++) {
        scenario_step(&scenario, 0);
        if (connection->state == CONNECTION_ANSWERING && connection->is_choked && !connection->is_receiving)
            return true;
    }
    return false;
}

/* Nothing of the kernel's holds the connection then: it is free as soon as it has ended, while its answer is still
 * being said. Which shard runs first, the seed decides. */
Test(memory, an_answer_without_memory_ends_one_that_is_not_read, .timeout = 60)
{
    uint64_t ended = 0;
    atomic_store(&log_level_now, -1);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        scenario_start(&scenario, seed, CHANNEL_FLAGS("", "--shards", "3", "--head-bytes-max", "1KiB"));
        struct api_client *api = api_client_join(&scenario, 0, SEND_BUFFER);
        scenario_settle(&scenario);
        const struct connection *connection = &scenario.server.shards[0].connections[0];
        ask_and_send_on(api->client);
        if (until_unread(connection)) {
            while (connection->state == CONNECTION_ANSWERING) {
                scarce_steps(&scenario, 1, 1);
            }
            ended += connection->state == CONNECTION_FREE;
        }
        scenario_pass(&scenario, 20000); /* an answer to what it sent on is waited for no longer */
        scenario_stop(&scenario);
    }
    cr_expect_gt(ended, 0);
}
