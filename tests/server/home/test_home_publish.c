/* tests/server/home/test_home_publish.c - what is published at a home alone: in one order to each shard with readers,
 * once for each key, and answered. */
#include "server/home/home_publish.h"

#include "core/channel.h"
#include "core/receipts.h"
#include "core/roster.h"
#include "server/shard/post.h"
#include "tests/support/home_case.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define HOOKS                "webhook=http://x/ webhook_events=client_event,room_message"
#define EVENT(channel, data) "{\"event\":\"ev\",\"channel\":\"" channel "\",\"data\":\"" data "\"}"

static void publish(uint32_t from, const char *channel, const char *data)
{
    case_publish(from, case_message(channel, ORIGIN_BACKEND, data));
}

/* ---- order ---- */

Test(home_publish, each_shard_with_readers_gets_all_in_one_order, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *one = case_join(1, "room", FORM_EVENT, NULL), *two = case_join(2, "room", FORM_EVENT, NULL),
                *three = case_join(2, "room", FORM_EVENT, NULL), *other = case_join(1, "other", FORM_EVENT, NULL);
    for (uint32_t i = 0; i < 10; i++) {
        char data[8];
        snprintf(data, sizeof data, "%u", i);
        publish(i % 3, "room", data);
    }
    for (uint32_t i = 0; i < 10; i++) {
        char expected[100];
        snprintf(expected, sizeof expected, EVENT("room", "%u"), i);
        cr_expect_str_eq(case_heard(1), expected);
        cr_expect_str_eq(case_heard(2), expected, "once, whoever many read there");
    }
    expect_silence();
    cr_expect_eq(case_counter(COUNTER_messages_published), 10);
    case_leave(two);
    publish(0, "room", "x");
    cr_expect_str_eq(case_heard(1), EVENT("room", "x"));
    cr_expect_str_eq(case_heard(2), EVENT("room", "x"));
    case_leave(three);
    publish(0, "room", "y");
    cr_expect_str_eq(case_heard(1), EVENT("room", "y"));
    expect_silence();
    case_leave(one);
    case_leave(other);
    case_end();
}

/* Its own readers hear it at the end of the turn, by no letter. */
Test(home_publish, what_its_own_shard_reads_arrives_in_the_channel, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *join = case_join(0, "room", FORM_EVENT, NULL);
    struct channel *channel = hub_find(&case_home->hub, &join->channel);
    struct subscription subscription = {.channel = channel, .form = FORM_EVENT};
    cr_assert_eq(channel_subscribe(channel, &subscription), RC_OK);
    struct message *first = case_message("room", ORIGIN_BACKEND, "1"),
                   *last = case_message("room", ORIGIN_BACKEND, "2");
    case_publish(1, first);
    case_publish(2, last);
    expect_silence();
    cr_assert_eq(channel->arrived_count, 2);
    cr_expect_eq(channel->arrived[0], first);
    cr_expect_eq(channel->arrived[1], last);
    channel_forget_arrived(channel);
    message_drop(&case_home->counters, first);
    message_drop(&case_home->counters, last);
    case_home->channel.active_count = 0;
    channel_unsubscribe(channel, &subscription);
    case_leave(join);
    case_end();
}

/* Who reads in which form: a room's message is an event for subscribers, an event is nothing for a room's readers. */
Test(home_publish, each_shard_gets_the_forms_that_it_reads, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *raw = case_join(1, "room", FORM_RAW, NULL);
    publish(0, "room", "for subscribers");
    expect_silence();
    struct message *said = message_new_of(&case_home->counters, &raw->channel, FORM_RAW, 4);
    memcpy(message_frame(said, FORM_RAW), "\x81\x02hi", 4);
    said->origin = ORIGIN_ROOM;
    message_hold(said, 1);
    case_publish(1, said);
    struct letter letter = case_next(1);
    cr_expect(letter.kind == LETTER_DELIVER && letter.message == said, "no event is made of it: nobody reads that");
    message_drop(&case_home->counters, letter.message);
    struct join *subscriber = case_join(2, "room", FORM_EVENT, NULL);
    case_publish(1, said);
    cr_expect_str_eq(case_heard_in(1, FORM_RAW), "hi");
    cr_expect_str_eq(case_heard(2), "{\"event\":\"message\",\"channel\":\"room\",\"data\":\"hi\"}");
    case_leave(raw);
    case_leave(subscriber);
    case_end();
}

Test(home_publish, where_nobody_reads_nothing_is_made, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    publish(1, "room", "x");
    expect_silence();
    cr_expect_eq(case_counter(COUNTER_channels), 0);
    cr_expect_eq(case_counter(COUNTER_messages_published), 1);
    struct query *query = case_query_publish(2, case_message("room", ORIGIN_BACKEND, "x"), QUERY_OF_BACKEND, NULL);
    query->info = QUERY_INFO_SUBSCRIPTION_COUNT;
    case_send(query);
    cr_expect_eq(query->facts.subscription_count, 0);
    case_answered(query, RC_OK);
    case_end();
}

/* Whoever publishes is paused, and nothing is lost. */
Test(home_publish, full_mailboxes_are_told_and_lose_nothing, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *join = case_join(1, "room", FORM_EVENT, NULL);
    uint32_t count = 0;
    while (home_publish(case_home, case_message("room", ORIGIN_BACKEND, "x"), NULL) == RC_OK) {
        cr_assert_lt(count++, 1000);
    }
    cr_expect_gt(count, 32);
    cr_expect_eq(home_publish(case_home, case_message("room", ORIGIN_BACKEND, "x"), NULL), RC_PENDING);
    cr_expect_eq(case_home->post.deliveries_waiting, 2);
    for (uint32_t i = 0; i < count; i++) {
        cr_expect_str_eq(case_heard(1), EVENT("room", "x"));
    }
    cr_expect_str_eq(case_heard(1), "-", "those wait with us");
    post_retry(case_home);
    cr_expect_eq(case_home->post.deliveries_waiting, 0);
    cr_expect_str_eq(case_heard(1), EVENT("room", "x"));
    cr_expect_str_eq(case_heard(1), EVENT("room", "x"));
    case_leave(join);
    case_end();
}

/* ---- who waits to hear of it ---- */

Test(home_publish, who_asked_is_answered_behind_the_message_with_what_it_wants_to_know, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *join = case_join(1, "presence-a", FORM_EVENT, "ann");
    struct query *query =
        case_query_publish(1, case_message("presence-a", ORIGIN_BACKEND, "x"), QUERY_OF_BACKEND, NULL);
    case_send(query);
    cr_expect_str_eq(case_heard(1), EVENT("presence-a", "x"));
    cr_expect_eq(query->facts.subscription_count, 1);
    cr_expect_eq(query->facts.user_count, 1);
    cr_expect_not(position_is_set(&query->facts.position), "the channel keeps no history");
    case_answered(query, RC_OK);
    struct query *behind = query_new_behind(&case_home->counters, &join->channel);
    behind->shard = 1;
    uint64_t published = case_counter(COUNTER_messages_published);
    case_send(behind);
    case_answered(behind, RC_OK);
    cr_expect_eq(case_counter(COUNTER_messages_published), published, "a publish of nothing");
    case_leave(join);
    case_settle();
    case_end();
}

/* ---- keys ---- */

static struct query *repeat(uint32_t from, const char *channel, enum query_asker asker, const char *key)
{
    struct query *query = case_query_publish(from, case_message(channel, ORIGIN_BACKEND, "x"), asker, key);
    case_send(query);
    return query;
}

Test(home_publish, the_same_key_is_published_once_and_answered_alike, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS, "--history", "kept*"));
    struct join *one = case_join(1, "room", FORM_EVENT, NULL), *two = case_join(1, "kept", FORM_EVENT, NULL);
    for (uint32_t i = 0; i < 3; i++) {
        struct query *query = repeat(i % 2 * 2, "room", QUERY_OF_BACKEND, "order-1");
        cr_expect_str_eq(case_heard(1), i == 0 ? EVENT("room", "x") : "-");
        case_answered(query, RC_OK);
    }
    struct position position = {0};
    for (uint32_t i = 0; i < 3; i++) {
        struct query *query = repeat(0, "kept", QUERY_OF_BACKEND, "order-1"); /* another channel: another key */
        if (i == 0) position = query->facts.position;
        cr_expect_eq(query->facts.position.offset, 1);
        cr_expect_str_eq(query->facts.position.epoch, position.epoch);
        cr_expect_eq(strcmp(case_heard(1), "-") != 0, i == 0);
        case_answered(query, RC_OK);
    }
    cr_expect_eq(case_counter(COUNTER_repeats), 4);
    cr_expect_eq(case_counter(COUNTER_repeat_keys), 2);
    struct query *client = repeat(2, "room", QUERY_OF_CLIENT, "order-1"); /* it cannot use up a backend's */
    cr_expect_str_eq(case_heard(1), EVENT("room", "x"));
    case_answered(client, RC_OK);
    case_pass(RECEIPT_MS);
    struct query *late = repeat(2, "room", QUERY_OF_BACKEND, "order-1");
    cr_expect_str_eq(case_heard(1), EVENT("room", "x"), "forgotten by now");
    case_answered(late, RC_OK);
    case_leave(one);
    case_leave(two);
    case_end();
}

Test(home_publish, without_keys_that_are_remembered_each_is_published, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS, "--repeat-keys-max", "0"));
    struct join *join = case_join(1, "room", FORM_EVENT, NULL);
    for (uint32_t i = 0; i < 2; i++) {
        struct query *query = repeat(0, "room", QUERY_OF_BACKEND, "order-1");
        cr_expect_str_eq(case_heard(1), EVENT("room", "x"));
        case_answered(query, RC_OK);
    }
    case_leave(join);
    case_end();
}

/* The store has the first one; those who repeat it wait with it, and its fate is theirs. */
Test(home_publish, who_repeats_while_the_first_is_under_way_is_answered_with_it, .timeout = 10)
{
    for (uint32_t fails = 0; fails < 2; fails++) {
        case_begin(CASE_FLAGS(HOOKS, "--history", "* durable=yes", "--data-dir", "/nowhere"));
        struct join *join = case_join(1, "room", FORM_EVENT, NULL);
        struct query *first = repeat(0, "room", QUERY_OF_BACKEND, "order-1");
        struct query *second = repeat(1, "room", QUERY_OF_BACKEND, "order-1"),
                     *third = repeat(2, "room", QUERY_OF_BACKEND, "order-1");
        struct store_job *job = case_job();
        cr_assert_not_null(job);
        cr_expect_eq(job->kind, STORE_APPEND);
        cr_expect_str_eq(job->key, first->key);
        cr_expect_null(case_job(), "one append");
        expect_silence();
        case_done(job, fails ? RC_ESTORE : RC_OK);
        if (!fails) cr_expect_not_null(strstr(case_heard(1), "\"offset\":1,"));
        cr_expect_eq(first->facts.position.offset, fails ? 0 : 1);
        cr_expect_eq(third->facts.position.offset, fails ? 0 : 1);
        case_answered(first, fails ? RC_ESTORE : RC_OK);
        case_answered(second, fails ? RC_ESTORE : RC_OK);
        case_answered(third, fails ? RC_ESTORE : RC_OK);
        cr_expect_eq(case_counter(COUNTER_repeat_keys), fails ? 0 : 1, "what failed may be tried again");
        case_leave(join);
        case_end();
    }
}

/* ---- guests ---- */

Test(home_publish, a_guest_is_invited_so_often_and_no_more, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *guest = case_join(1, "#server-to-user-gaaaaaaaaaaaa", FORM_EVENT, NULL);
    for (uint32_t i = 0; i < 25; i++) {
        case_publish(2, case_message("#server-to-user-gaaaaaaaaaaaa", ORIGIN_GUEST, "x"));
        cr_expect_eq(strcmp(case_heard(1), "-") != 0, i < 20, "%u", i);
    }
    cr_expect_eq(case_counter(COUNTER_invitations_dropped), 5);
    case_pass(10000);
    case_publish(2, case_message("#server-to-user-gaaaaaaaaaaaa", ORIGIN_GUEST, "x"));
    cr_expect_neq(strcmp(case_heard(1), "-"), 0);
    case_publish(2,
                 case_message("#server-to-user-gbbbbbbbbbbbb", ORIGIN_GUEST, "x")); /* who is not there hears none */
    case_leave(guest);
    case_end();
}

/* ---- what backends hear ---- */

Test(home_publish, backends_hear_of_client_events_and_of_messages_that_are_kept, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS, "--history", "tea*"));
    case_publish(1, case_message("private-a", ORIGIN_CLIENT, "x"));
    cr_expect_str_eq(case_hooks(), "client_event:private-a=\"x\" ");
    case_publish(1, case_message("private-a", ORIGIN_BACKEND, "x"));
    case_publish(1, case_message("coffee", ORIGIN_ROOM, "x"));
    cr_expect_str_eq(case_hooks(), "", "not of their own, nor of what is not kept");
    case_publish(1, case_message("tea", ORIGIN_ROOM, "x"));
    case_publish(1, case_message("tea", ORIGIN_ROOM, "y"));
    cr_expect_str_eq(case_hooks(), "room_message:tea=\"x\"@1 room_message:tea=\"y\"@2 ");
    case_end();
}
