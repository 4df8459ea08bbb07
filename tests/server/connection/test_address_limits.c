/* tests/server/connection/test_address_limits.c - what the clients of one address may take together, and that it is
 * forgotten. */
#include "server/connection/address_limits.h"

#include "server/config/options.h"
#include "tests/support/leaks.h"

#include <ck_pr.h>
#include <criterion/criterion.h>
#include <pthread.h>

#define NOW 5000

static struct address_limits *limits;
static struct options options;

static void set_up(void)
{
    cr_assert_eq(address_limits_new(&limits, 100), RC_OK);
    options = (struct options){0};
}

static void tear_down(void)
{
    address_limits_free(limits);
    expect_no_leaks();
}

TestSuite(address_limits, .init = set_up, .fini = tear_down, .timeout = 20);

static struct ip ip_of(const char *text)
{
    struct ip ip;
    cr_assert(ip_read(text_of(text), &ip), "%s", text);
    return ip;
}

static enum close_reason enter(const char *text, uint64_t now_ms)
{
    struct ip ip = ip_of(text);
    return address_limits_enter(limits, &options, &ip, now_ms);
}

static void leave(const char *text, uint64_t now_ms)
{
    struct ip ip = ip_of(text);
    address_limits_leave(limits, &ip, now_ms);
}

static void fail(const char *text, uint64_t now_ms)
{
    struct ip ip = ip_of(text);
    address_limits_fail(limits, &options, &ip, now_ms);
}

Test(address_limits, none_is_on_unless_it_is_given)
{
    cr_expect_not(address_limits_are_on(&options));
    options.address_connections_max = 1;
    cr_expect(address_limits_are_on(&options));
    options = (struct options){.address_connects_per_second = 1};
    cr_expect(address_limits_are_on(&options));
    options = (struct options){.address_failures_per_second = 1};
    cr_expect(address_limits_are_on(&options));
}

Test(address_limits, an_address_has_as_many_connections_as_it_may)
{
    options.address_connections_max = 3;
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_NONE);
    }
    cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_ADDRESS_FULL);
    cr_expect_eq(enter("192.0.2.2", NOW), CLOSE_NONE, "another");
    leave("192.0.2.1", NOW);
    cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_NONE);
    cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_ADDRESS_FULL);
}

Test(address_limits, of_ipv6_the_first_64_bits_count)
{
    options.address_connections_max = 2;
    cr_expect_eq(enter("2001:db8:1:2::1", NOW), CLOSE_NONE);
    cr_expect_eq(enter("2001:db8:1:2:ffff::", NOW), CLOSE_NONE);
    cr_expect_eq(enter("2001:db8:1:2::3", NOW), CLOSE_ADDRESS_FULL);
    cr_expect_eq(enter("2001:db8:1:3::1", NOW), CLOSE_NONE);
    cr_expect_eq(enter("::ffff:192.0.2.1", NOW), CLOSE_NONE);
    cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_NONE);
    cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_ADDRESS_FULL, "it is the same");
    leave("2001:db8:1:2::9", NOW);
    cr_expect_eq(enter("2001:db8:1:2::3", NOW), CLOSE_NONE);
}

Test(address_limits, connects_come_at_their_rate_after_a_rest_a_second_ahead)
{
    options.address_connects_per_second = 4;
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_NONE);
    }
    cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_ADDRESS_FAST);
    cr_expect_eq(enter("192.0.2.1", NOW + 249), CLOSE_ADDRESS_FAST, "to be refused costs nothing");
    cr_expect_eq(enter("192.0.2.1", NOW + 250), CLOSE_NONE);
    cr_expect_eq(enter("192.0.2.1", NOW + 250), CLOSE_ADDRESS_FAST);
    cr_expect_eq(enter("192.0.2.2", NOW + 250), CLOSE_NONE);
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(enter("192.0.2.1", NOW + 60000), CLOSE_NONE);
    }
    cr_expect_eq(enter("192.0.2.1", NOW + 60000), CLOSE_ADDRESS_FAST, "a long rest gains no more");
}

Test(address_limits, who_leaves_at_once_is_counted_all_the_same)
{
    options.address_connects_per_second = 4;
    for (int i = 0; i < 4; i++) {
        cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_NONE);
        leave("192.0.2.1", NOW);
    }
    cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_ADDRESS_FAST);
}

Test(address_limits, an_address_whose_handshakes_fail_waits)
{
    options.address_failures_per_second = 2;
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_NONE);
        fail("192.0.2.1", NOW);
        leave("192.0.2.1", NOW);
    }
    cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_ADDRESS_FAILS);
    cr_expect_eq(enter("192.0.2.2", NOW), CLOSE_NONE);
    cr_expect_eq(enter("192.0.2.1", NOW + 499), CLOSE_ADDRESS_FAILS);
    cr_expect_eq(enter("192.0.2.1", NOW + 500), CLOSE_NONE);
    for (int i = 0; i < 1000; i++) {
        fail("192.0.2.1", NOW + 500);
    }
    cr_expect_eq(enter("192.0.2.1", NOW + 999), CLOSE_ADDRESS_FAILS);
    cr_expect_eq(enter("192.0.2.1", NOW + 1000), CLOSE_NONE, "however many failed at once");
}

Test(address_limits, failures_of_one_who_is_not_counted_count)
{
    options.address_failures_per_second = 1;
    fail("192.0.2.1", NOW);
    cr_expect_eq(enter("192.0.2.1", NOW), CLOSE_ADDRESS_FAILS);
    cr_expect_eq(address_limits_count(limits), 1);
    options.address_failures_per_second = 0;
    fail("192.0.2.2", NOW);
    cr_expect_eq(address_limits_count(limits), 1, "where they are not limited nobody is known for them");
}

Test(address_limits, addresses_without_connections_are_forgotten_when_their_rates_are_at_rest)
{
    char text[40];
    options.address_connects_per_second = 1;
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof text, "192.0.2.%d", i);
        cr_expect_eq(enter(text, NOW), CLOSE_NONE);
        if (i > 0) leave(text, NOW);
    }
    cr_expect_eq(address_limits_count(limits), 50);
    cr_expect_eq(enter("198.51.100.1", NOW + 1000), CLOSE_NONE);
    cr_expect_eq(address_limits_count(limits), 2, "who is there, and who has come");
}

Test(address_limits, of_addresses_without_connections_there_are_no_more_than_connections)
{
    char text[40];
    options.address_connects_per_second = 1;
    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "10.0.%d.%d", i / 256, i % 256);
        cr_expect_eq(enter(text, NOW), CLOSE_NONE);
        leave(text, NOW);
    }
    cr_expect_eq(address_limits_count(limits), 100);
    cr_expect_eq(enter(text, NOW), CLOSE_ADDRESS_FAST, "the longest without one goes first");
    cr_expect_eq(enter("10.0.0.0", NOW), CLOSE_NONE);
}

/* ---- several shards ---- */

#define THREADS 4
#define ROUNDS  20000
#define AT_MOST 3

static uint32_t inside, most_inside, let_in;

static void *come_and_go(void *unused)
{
    struct ip ip = ip_of("192.0.2.1");
    for (int i = 0; i < ROUNDS; i++) {
        if (address_limits_enter(limits, &options, &ip, NOW) != CLOSE_NONE) continue;
        uint32_t now = ck_pr_faa_uint(&inside, 1) + 1, most = ck_pr_load_uint(&most_inside);
        while (now > most && !ck_pr_cas_uint_value(&most_inside, most, now, &most)) {
        }
        ck_pr_inc_uint(&let_in);
        ck_pr_dec_uint(&inside);
        address_limits_leave(limits, &ip, NOW);
    }
    return unused;
}

Test(address_limits, shards_that_come_at_once_count_together)
{
    pthread_t threads[THREADS];
    options.address_connections_max = AT_MOST;
    for (int i = 0; i < THREADS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, come_and_go, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect(most_inside >= 1 && most_inside <= AT_MOST, "%u", most_inside);
    cr_expect_gt(let_in, 0);
    cr_expect_eq(address_limits_count(limits), 0);
}
