/* tests/server/home/test_home_kept.c - the last event of cache channels at a home alone: who comes gets it, until it is
 * too old or too much. */
#include "server/home/home_kept.h"

#include "core/channel.h"
#include "core/roster.h"
#include "tests/support/home_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define HOOKS "webhook=http://x/ webhook_events=cache_miss cache_ms=5s"
#define SUCCESS(channel) \
    "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"" channel "\",\"data\":\"{}\"}\n"
#define MISS(channel)        "{\"event\":\"pusher:cache_miss\",\"channel\":\"" channel "\",\"data\":\"{}\"}\n"
#define EVENT(channel, data) "{\"event\":\"ev\",\"channel\":\"" channel "\",\"data\":\"" data "\"}\n"

static void publish(const char *channel, const char *data)
{
    struct message *message = case_message(channel, ORIGIN_BACKEND, data);
    message->is_kept = true;
    case_publish(1, message);
}

/* What who comes is greeted with. */
static void expect_greeting(const char *channel, const char *text)
{
    struct join *join = case_join(2, channel, FORM_EVENT, NULL);
    cr_expect_str_eq(case_greeting(join), text);
    case_leave(join);
}

/* How often backends were told of a miss, since this was asked last. */
static uint32_t misses(void)
{
    uint32_t count = 0;
    for (const char *at = case_hooks(); (at = strstr(at, "cache_miss:cache-a ")) != NULL; at++) {
        count++;
    }
    return count;
}

static const char *kept(const char *channel)
{
    struct query *query = case_query(1, QUERY_CHANNEL, channel);
    query->info = QUERY_INFO_CACHE;
    case_send(query);
    return case_answered(query, RC_OK);
}

Test(home_kept, who_comes_gets_the_last_event, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    publish("cache-a", "one");
    publish("cache-a", "two");
    cr_expect_eq(case_counter(COUNTER_channels), 1, "it stays for its event's sake");
    expect_greeting("cache-a", SUCCESS("cache-a") EVENT("cache-a", "two"));
    cr_expect_str_eq(kept("cache-a"), "{\"data\":\"two\",\"ttl\":5}");
    cr_expect_eq(misses(), 0);
    case_pass(4500);
    cr_expect_str_eq(kept("cache-a"), "{\"data\":\"two\",\"ttl\":1}");
    case_pass(700);
    cr_expect_eq(case_counter(COUNTER_channels), 0);
    cr_expect_str_eq(kept("cache-a"), "");
    expect_greeting("cache-a", SUCCESS("cache-a") MISS("cache-a"));
    cr_expect_eq(misses(), 1);
    case_end();
}

Test(home_kept, a_newer_event_is_remembered_as_long_as_the_first, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    publish("cache-a", "one");
    case_pass(4000);
    publish("cache-a", "two");
    case_pass(4000);
    expect_greeting("cache-a", SUCCESS("cache-a") EVENT("cache-a", "two"));
    case_pass(1200);
    expect_greeting("cache-a", SUCCESS("cache-a") MISS("cache-a"));
    case_end();
}

Test(home_kept, a_miss_is_told_once_until_something_is_kept, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *one = case_join(1, "cache-a", FORM_EVENT, NULL);
    cr_expect_str_eq(case_greeting(one), SUCCESS("cache-a") MISS("cache-a"));
    expect_greeting("cache-a", SUCCESS("cache-a") MISS("cache-a"));
    cr_expect_eq(misses(), 1);
    publish("cache-a", "x");
    case_heard(1);
    case_pass(5200);
    expect_greeting("cache-a", SUCCESS("cache-a") MISS("cache-a"));
    cr_expect_eq(misses(), 1, "and again");
    expect_greeting("room", SUCCESS("room"));
    case_leave(one);
    case_end();
}

/* 100 events of 1 KiB where 64 KiB may be kept: the first to be published go first, whoever asked for them since. */
Test(home_kept, the_oldest_go_when_it_is_too_much, .timeout = 10)
{
    static char data[1001];
    char name[20];
    uint32_t left = 0;
    case_begin(CASE_FLAGS(HOOKS, "--cache-bytes-max", "64KiB"));
    memset(data, 'x', sizeof data - 1);
    publish("cache-0", data);
    for (uint32_t i = 1; i < 100; i++) {
        snprintf(name, sizeof name, "cache-%u", i);
        publish(name, data);
        cr_expect_leq(case_counter(COUNTER_cache_bytes), 65536);
        if (i == 20) publish("cache-0", data); /* is the newest again */
    }
    cr_expect_str_eq(kept("cache-1"), "");
    bool is_over = false;
    for (uint32_t i = 1; i < 100; i++) {
        snprintf(name, sizeof name, "cache-%u", i);
        bool is_there = kept(name)[0] != '\0';
        cr_expect(is_there || !is_over, "%u has gone before %u", i, i - 1);
        is_over = is_over || is_there;
        left += is_there;
    }
    cr_expect_gt(left, 30);
    cr_expect_eq(case_counter(COUNTER_cache_evictions), 100 - left);
    cr_expect_eq(case_counter(COUNTER_channels), left);
    case_end();
}

Test(home_kept, the_newest_stays_however_large, .timeout = 10)
{
    static char data[70001];
    case_begin(CASE_FLAGS(HOOKS, "--cache-bytes-max", "64KiB"));
    memset(data, 'x', sizeof data - 1);
    publish("cache-a", data);
    publish("cache-b", data);
    cr_expect_str_eq(kept("cache-a"), "");
    cr_expect_gt(strlen(kept("cache-b")), 60000);
    case_end();
}
