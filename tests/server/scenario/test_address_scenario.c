/* tests/server/scenario/test_address_scenario.c - limits of addresses whose connections come to all shards. */
#include "tests/support/scenario.h"

#include "server/connection/address_limits.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define SEEDS 20

static struct scenario scenario;

static struct client *join_from(uint32_t shard, const char *ip)
{
    struct client *client = client_join(&scenario, shard, "/", 65536);
    fake_come_from(client->socket, ip, (uint16_t)(1024 + client->index));
    return client;
}

/* How many of these clients were answered so. */
static uint32_t answered(struct client *const clients[], uint32_t count, unsigned status)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        found += clients[i]->status == status;
    }
    return found;
}

static void check_nobody_is_known(void)
{
    struct address_limits *limits = scenario.server.doors.public.limits;
    for (uint32_t i = 0; i < scenario.clients_count; i++) {
        fake_reset(scenario.clients[i].socket);
    }
    scenario_settle(&scenario);
    cr_expect_eq(address_limits_count(limits), 0);
    scenario_stop(&scenario);
}

Test(address_scenario, an_address_has_no_more_connections_than_it_may_over_all_shards, .timeout = 120)
{
    static const char *const flags[] = {"--shards", "3", "--address-connections-max", "5", NULL};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct client *clients[3][9];
        scenario_start(&scenario, seed, flags);
        for (uint32_t i = 0; i < 27; i++) {
            char ip[20];
            snprintf(ip, sizeof ip, "192.0.2.%u", i % 3);
            clients[i % 3][i / 3] = join_from(fake_random(3), ip);
        }
        scenario_settle(&scenario);
        for (uint32_t i = 0; i < 3; i++) {
            cr_expect_eq(answered(clients[i], 9, 101), 5, "seed %lu", seed);
            cr_expect_eq(answered(clients[i], 9, 429), 4, "seed %lu", seed);
        }
        fake_reset(clients[0][0]->socket);
        for (uint32_t i = 1; i < 9; i++) {
            if (clients[0][i]->status == 101) client_close(clients[0][i], 1000);
        }
        scenario_settle(&scenario);
        clients[0][0] = join_from(0, "192.0.2.0");
        clients[0][1] = join_from(2, "192.0.2.0");
        scenario_settle(&scenario);
        cr_expect_eq(answered(clients[0], 2, 101), 2, "seed %lu", seed);
        scenario_pass(&scenario, 3000);
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_ADDRESS_FULL)), 12);
        check_nobody_is_known();
    }
}

Test(address_scenario, an_address_that_connects_too_fast_is_told_to_wait, .timeout = 120)
{
    static const char *const flags[] = {"--shards", "2", "--address-connects-per-second", "2", NULL};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct client *clients[6];
        scenario_start(&scenario, seed, flags);
        for (uint32_t i = 0; i < 4; i++) {
            clients[i] = join_from(i % 2, "192.0.2.1");
        }
        clients[4] = join_from(0, "192.0.2.2");
        scenario_settle(&scenario);
        cr_expect_eq(answered(clients, 4, 101), 2, "seed %lu", seed);
        cr_expect_eq(answered(clients, 4, 429), 2, "seed %lu", seed);
        cr_expect_eq(clients[4]->status, 101);
        scenario_pass(&scenario, 1000);
        clients[5] = join_from(1, "192.0.2.1");
        scenario_settle(&scenario);
        cr_expect_eq(clients[5]->status, 101);
        scenario_pass(&scenario, 3000);
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_ADDRESS_FAST)), 2);
        check_nobody_is_known();
    }
}

Test(address_scenario, an_address_whose_requests_fail_is_kept_out_for_a_while, .timeout = 120)
{
    static const char *const flags[] = {"--shards", "2", "--address-failures-per-second", "2", NULL};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        scenario_start(&scenario, seed, flags);
        for (uint32_t i = 0; i < 2; i++) {
            struct client *client = client_join(&scenario, i, "/nowhere", 65536);
            fake_come_from(client->socket, "192.0.2.1", 1);
            fake_shutdown(client->socket);
        }
        scenario_settle(&scenario);
        struct client *again = join_from(0, "192.0.2.1"), *other = join_from(0, "192.0.2.2");
        scenario_settle(&scenario);
        cr_expect(again->status == 429 && other->status == 101, "seed %lu: %u, %u", seed, again->status,
                  other->status);
        scenario_pass(&scenario, 1000);
        again = join_from(1, "192.0.2.1");
        scenario_settle(&scenario);
        cr_expect_eq(again->status, 101);
        scenario_pass(&scenario, 3000);
        cr_expect_eq(scenario_counter(&scenario, counter_of_close(CLOSE_ADDRESS_FAILS)), 1);
        check_nobody_is_known();
    }
}

Test(address_scenario, addresses_that_are_allowed_have_no_limit, .timeout = 60)
{
    static const char *const flags[] = {"--shards",     "2", "--address-connections-max", "1", "--address-allow",
                                        "192.0.2.0/25", NULL};
    struct client *clients[10];
    scenario_start(&scenario, 1, flags);
    for (uint32_t i = 0; i < 10; i++) {
        clients[i] = join_from(i % 2, i < 7 ? "192.0.2.127" : "192.0.2.128");
    }
    scenario_settle(&scenario);
    cr_expect_eq(answered(clients, 7, 101), 7);
    cr_expect_eq(answered(clients + 7, 3, 101), 1);
    check_nobody_is_known();
}

/* A hundred a second are told; of the others the sockets are closed. */
Test(address_scenario, a_flood_that_is_refused_is_not_told_one_by_one, .timeout = 120)
{
    static const char *const flags[] = {"--shards", "1", "--address-connections-max", "1", NULL};
    uint32_t told = 0, closed = 0;
    scenario_start(&scenario, 1, flags);
    for (uint32_t i = 0; i < 250; i++) {
        join_from(0, "192.0.2.1");
    }
    scenario_settle(&scenario);
    for (uint32_t i = 0; i < 250; i++) {
        told += scenario.clients[i].status == 429;
        closed += scenario.clients[i].status == 0 && fake_is_at_end(scenario.clients[i].socket);
    }
    cr_expect(told >= 100 && told < 249, "%u", told);
    cr_expect_eq(told + closed, 249);
    check_nobody_is_known();
}
