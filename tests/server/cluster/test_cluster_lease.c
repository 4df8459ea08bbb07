/* tests/server/cluster/test_cluster_lease.c - leases: when one is renewed, what one that is over brings, who is
 * swept. */
#include "server/cluster/cluster_lease.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define LEASE_MS 15000

static struct cluster_lease *lease;

static void begin(void)
{
    lease = cluster_lease_new(LEASE_MS, 1);
}

static void end(void)
{
    cluster_lease_free(lease);
}

/* RENEW is sent and answered: nodes whose leases run, and whose are over, with NULL at the ends. */
static bool renew(uint64_t now_ms, bool was_running, const char *const running[], const char *const over[])
{
    cr_assert(cluster_lease_is_due(lease, now_ms));
    cluster_lease_sent(lease, now_ms);
    bool is_renamed = cluster_lease_renewed(lease, was_running, 2);
    for (uint32_t i = 0; running != NULL && running[i] != NULL; i++) {
        cr_expect_eq(cluster_lease_see(lease, text_of(running[i]), true, now_ms), RC_OK);
    }
    for (uint32_t i = 0; over != NULL && over[i] != NULL; i++) {
        cr_expect_eq(cluster_lease_see(lease, text_of(over[i]), false, now_ms), RC_OK);
    }
    cluster_lease_renewed_end(lease);
    return is_renamed;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Whom to sweep; "" for nobody. */
static const char *swept(uint64_t now_ms)
{
    struct text node;
    return cluster_lease_take_swept(lease, now_ms, &node) ? node.at : "";
}

Test(cluster_lease, it_is_renewed_each_third_of_its_time, .timeout = 5, .init = begin, .fini = end)
{
    cr_expect_str_eq(cluster_lease_node(lease), "0000000000000001");
    cr_expect_eq(cluster_lease_due_ms(lease), 0, "at once");
    cr_expect_not(renew(1000, false, NULL, NULL), "the first time it cannot have been there");
    cr_expect_not(cluster_lease_is_due(lease, 1000 + LEASE_MS / 3 - 1));
    cr_expect_eq(cluster_lease_due_ms(lease), 1000 + LEASE_MS / 3);
    cr_expect_not(renew(1000 + LEASE_MS / 3, true, NULL, NULL));
    cluster_lease_sent(lease, 20000);
    cr_expect_not(cluster_lease_is_due(lease, 90000), "one at a time");
    cr_expect_eq(cluster_lease_due_ms(lease), UINT64_MAX);
    cluster_lease_reset(lease);
    cr_expect(cluster_lease_is_due(lease, 20001), "on another connection at once");
}

Test(cluster_lease, a_node_whose_lease_is_over_goes_on_under_another_name, .timeout = 5, .init = begin, .fini = end)
{
    renew(1000, false, NULL, NULL);
    cr_expect(renew(30000, false, NULL, NULL));
    cr_expect_str_eq(cluster_lease_node(lease), "0000000000000002");
    cr_expect_not(renew(30001, false, LIST("0000000000000001"), NULL), "at once, and that is its first time");
    cr_expect(cluster_lease_is_running(lease, text_of("0000000000000001")), "its own life before is another node");
    cr_expect_not(renew(40000, true, NULL, LIST("0000000000000001")));
    cr_expect_str_eq(swept(40000 + LEASE_WAIT_MS), "0000000000000001");
}

Test(cluster_lease, others_are_known_as_long_as_they_are_named, .timeout = 5, .init = begin, .fini = end)
{
    uint32_t index = 0;
    struct text node;
    renew(1000, false, LIST("a", "0000000000000001", "b", "longer than any name", ""), LIST("c"));
    cr_expect_eq(cluster_lease_running(lease), 2, "not itself, and not what has no name of ours");
    cr_expect(cluster_lease_next_running(lease, &index, &node));
    cr_expect(text_is(node, "a"));
    cr_expect(cluster_lease_next_running(lease, &index, &node));
    cr_expect(text_is(node, "b"));
    cr_expect_not(cluster_lease_next_running(lease, &index, &node));
    cr_expect_not(cluster_lease_is_running(lease, text_of("c")));
    renew(6000, true, LIST("b"), NULL);
    cr_expect_eq(cluster_lease_running(lease), 1);
    cr_expect_not(cluster_lease_is_running(lease, text_of("a")));
    cr_expect_str_eq(swept(99000), "", "who is not named any more was swept");
}

Test(cluster_lease, whose_lease_is_over_is_swept_once_after_a_pause, .timeout = 5, .init = begin, .fini = end)
{
    renew(1000, false, LIST("a"), NULL);
    renew(6000, true, NULL, LIST("a"));
    uint64_t due_ms = cluster_lease_due_ms(lease);
    cr_expect(due_ms >= 6000 && due_ms < 6000 + LEASE_WAIT_MS);
    cr_expect_str_eq(swept(due_ms - 1), "");
    cr_expect_str_eq(swept(due_ms), "a");
    cr_expect_str_eq(swept(due_ms), "", "it is being done");
    renew(11000, true, NULL, LIST("a"));
    cr_expect_str_eq(swept(99000), "");
    cluster_lease_sweep_again(lease, text_of("a"), 11000);
    cr_expect_str_eq(swept(11000), "");
    cr_expect_str_eq(swept(11000 + LEASE_WAIT_MS), "a");
    renew(16000, true, NULL, NULL);
    renew(21000, true, NULL, LIST("a"));
    cr_expect_str_eq(swept(21000 + LEASE_WAIT_MS), "a", "it was there again");
}

/* The pauses of many nodes for one are spread. */
Test(cluster_lease, not_all_sweep_at_once, .timeout = 5)
{
    uint32_t early = 0;
    for (uint64_t number = 1; number <= 1000; number++) {
        lease = cluster_lease_new(LEASE_MS, number * UINT64_C(0x9e3779b97f4a7c15));
        renew(1000, false, NULL, LIST("00000000000000aa"));
        early += cluster_lease_due_ms(lease) < 1000 + LEASE_WAIT_MS / 10;
        cluster_lease_free(lease);
    }
    cr_expect(early > 50 && early < 200, "%u of 1000 in the first tenth", early);
}

Test(cluster_lease, of_too_many_nodes_the_rest_is_seen_later, .timeout = 5, .init = begin, .fini = end)
{
    char node[LEASE_NODE_BYTES + 1];
    cluster_lease_sent(lease, 1000);
    cluster_lease_renewed(lease, false, 2);
    for (uint32_t i = 0; i < LEASE_NODES_MAX; i++) {
        snprintf(node, sizeof node, "n%u", i);
        cr_expect_eq(cluster_lease_see(lease, text_of(node), true, 1000), RC_OK);
    }
    cr_expect_eq(cluster_lease_see(lease, text_of("one more"), true, 1000), RC_EFULL);
    cluster_lease_renewed_end(lease);
    cr_expect_eq(cluster_lease_running(lease), LEASE_NODES_MAX);
}
