/* tests/server/home/test_home.c - who joins and leaves at a home alone: what each is answered, what the others are
 * told, what backends hear, and that nothing is kept of a channel that nobody needs. */
#include "core/channel.h"
#include "core/roster.h"
#include "tests/support/home_case.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define HOOKS "webhook=http://x/ webhook_events=all"
#define SUCCESS(channel, data) \
    "{\"event\":\"pusher_internal:subscription_succeeded\",\"channel\":\"" channel "\",\"data\":\"" data "\"}\n"
#define MEMBER(id) "\\\"" id "\\\":{\\\"name\\\":\\\"" id "\\\"}"
#define ADDED(channel, id)                                                                                 \
    "{\"event\":\"pusher_internal:member_added\",\"channel\":\"" channel "\",\"data\":\"{\\\"user_id\\\":" \
    "\\\"" id "\\\",\\\"user_info\\\":{\\\"name\\\":\\\"" id "\\\"}}\"}"
#define REMOVED(channel, id)                                                                                 \
    "{\"event\":\"pusher_internal:member_removed\",\"channel\":\"" channel "\",\"data\":\"{\\\"user_id\\\":" \
    "\\\"" id "\\\"}\"}"

static uint64_t channels(void)
{
    return case_counter(COUNTER_channels);
}

/* ---- coming ---- */

Test(home, who_joins_is_answered_at_once_and_greeted, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *join = case_ask(2, "room", FORM_EVENT, NULL);
    cr_expect_eq(case_joined(2), join, "before the turn is over");
    cr_expect_eq(join->rc, RC_OK);
    cr_expect_eq(join->from, 2);
    cr_expect_not_null(join->roster);
    cr_expect_str_eq(case_greeting(join), SUCCESS("room", "{}"));
    struct join *raw = case_join(1, "room", FORM_RAW, NULL);
    cr_expect_null(raw->greeting, "a room's reader is told nothing");
    cr_expect_eq(raw->roster, join->roster);
    cr_expect_eq(channels(), 1);
    case_leave(join);
    cr_expect_eq(channels(), 1);
    case_leave(raw);
    case_settle();
    cr_expect_eq(channels(), 0);
    case_end();
}

/* The home's own clients are no others: their answers come by the same way. */
Test(home, its_own_shard_is_answered_too, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *join = case_join(0, "presence-a", FORM_EVENT, "ann");
    cr_expect_str_eq(case_greeting(join),
                     SUCCESS("presence-a", "{\\\"presence\\\":{\\\"ids\\\":[\\\"ann\\\"],"
                                           "\\\"hash\\\":{" MEMBER("ann") "},\\\"count\\\":1}}"));
    case_leave(join);
    case_end();
}

/* ---- members ---- */

Test(home, members_of_one_turn_are_answered_at_its_end_with_one_greeting, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *ann = case_join(1, "presence-a", FORM_EVENT, "ann");
    struct join *ben = case_ask(2, "presence-a", FORM_EVENT, "ben");
    struct join *cat = case_ask(2, "presence-a", FORM_EVENT, "cat");
    expect_silence();
    case_settle();
    cr_expect_str_eq(case_heard(1), ADDED("presence-a", "ben"));
    cr_expect_str_eq(case_heard(1), ADDED("presence-a", "cat"));
    cr_expect_str_eq(case_heard(2), ADDED("presence-a", "ben"), "before its answer: it has no subscriber there yet");
    cr_expect_str_eq(case_heard(2), ADDED("presence-a", "cat"));
    cr_expect_eq(case_joined(2), ben, "in the order they came");
    cr_expect_eq(case_joined(2), cat);
    cr_expect_eq(ben->greeting, cat->greeting, "made once");
    cr_expect_eq(ben->greeting->references, 2);
    cr_expect_not_null(strstr(case_greeting(ben), "\\\"count\\\":3"));
    case_leave(ann);
    case_leave(ben);
    case_leave(cat);
    case_settle();
    while (strcmp(case_heard(1), "-") != 0 || strcmp(case_heard(2), "-") != 0) {
    }
    case_end();
}

Test(home, who_goes_and_comes_back_within_a_turn_was_never_away, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *ann = case_join(1, "presence-a", FORM_EVENT, "ann"),
                *ben = case_join(2, "presence-a", FORM_EVENT, "ben");
    cr_expect_str_eq(case_heard(1), ADDED("presence-a", "ben"));
    case_hooks();
    case_leave(ben);
    ben = case_ask(2, "presence-a", FORM_EVENT, "ben");
    struct join *dot = case_ask(2, "presence-a", FORM_EVENT, "dot");
    case_settle();
    cr_expect_str_eq(case_heard(1), ADDED("presence-a", "dot"), "nothing of ben");
    cr_expect_str_eq(case_heard(1), "-");
    cr_expect_str_eq(case_hooks(), "member_added:presence-a/dot ");
    cr_expect_str_eq(case_heard(2), ADDED("presence-a", "dot"));
    cr_expect_eq(case_joined(2), ben);
    cr_expect_eq(case_joined(2), dot);
    case_leave(dot);
    case_settle();
    cr_expect_str_eq(case_heard(1), REMOVED("presence-a", "dot"));
    cr_expect_str_eq(case_heard(2), REMOVED("presence-a", "dot"));
    case_leave(ben);
    case_leave(ann);
    case_settle();
    expect_silence();
    case_end();
}

/* A second tab is no second member. */
Test(home, a_user_is_one_member_over_all_its_connections, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *one = case_join(1, "presence-a", FORM_EVENT, "ann");
    struct join *two = case_join(2, "presence-a", FORM_EVENT, "ann");
    cr_expect_not_null(strstr(case_greeting(two), "\\\"count\\\":1"));
    case_leave(one);
    case_settle();
    expect_silence();
    cr_expect_str_eq(case_hooks(), "channel_occupied:presence-a member_added:presence-a/ann ");
    case_leave(two);
    cr_expect_str_eq(case_hooks(), "member_removed:presence-a/ann channel_vacated:presence-a ",
                     "backends hear of the last member first");
    cr_expect_eq(channels(), 1, "until the turn is over");
    case_settle();
    cr_expect_eq(channels(), 0);
    case_end();
}

Test(home, a_full_channel_takes_no_other_member, .timeout = 10)
{
    case_begin(CASE_FLAGS("members_max=2"));
    struct join *ann = case_join(1, "presence-a", FORM_EVENT, "ann"),
                *ben = case_join(1, "presence-a", FORM_EVENT, "ben");
    struct join *cat = case_ask(2, "presence-a", FORM_EVENT, "cat");
    cr_expect_eq(case_joined(2), cat, "at once");
    cr_expect_eq(cat->rc, RC_EFULL);
    cr_expect_null(cat->roster);
    struct join *again = case_join(2, "presence-a", FORM_EVENT, "ben");
    cr_expect_eq(roster_subscribers(ann->roster), 3, "a second tab of a member is let in");
    join_free(&case_home->counters, cat);
    case_leave(again);
    case_leave(ben);
    case_settle();
    cr_expect_str_eq(case_heard(1), REMOVED("presence-a", "ben"));
    cat = case_join(2, "presence-a", FORM_EVENT, "cat");
    cr_expect_str_eq(case_heard(1), ADDED("presence-a", "cat"));
    cr_expect_str_eq(case_heard(2), "-", "it has joined since");
    case_leave(cat);
    case_leave(ann);
    case_settle();
    case_heard(1);
    case_end();
}

/* ---- counts ---- */

#define COUNT(channel, count)                                                                                     \
    "{\"event\":\"pusher_internal:subscription_count\",\"channel\":\"" channel "\",\"data\":\"{\\\"subscription_" \
    "count\\\":" count "}\"}"

Test(home, few_subscribers_are_told_their_number_each_turn, .timeout = 10)
{
    case_begin(CASE_FLAGS("subscription_counts=yes"));
    struct join *joins[3];
    for (uint32_t i = 0; i < 3; i++) {
        joins[i] = case_ask(1, "room", FORM_EVENT, NULL);
        cr_assert_eq(case_joined(1), joins[i]);
    }
    case_settle();
    cr_expect_str_eq(case_heard(1), COUNT("room", "3"), "once for all of a turn");
    cr_expect_str_eq(case_heard(1), "-");
    for (uint32_t i = 0; i < 3; i++) {
        case_leave(joins[i]);
        case_settle();
        cr_expect_str_eq(case_heard(1), i == 0 ? COUNT("room", "2") : i == 1 ? COUNT("room", "1") : "-");
    }
    case_end();
}

Test(home, many_are_told_their_number_now_and_then, .timeout = 10)
{
    static struct join *joins[150];
    case_begin(CASE_FLAGS("subscription_counts=yes"));
    for (uint32_t i = 0; i < 150; i++) {
        joins[i] = case_join(2, "room", FORM_EVENT, NULL);
        if (i < 100) cr_expect_neq(strcmp(case_heard(2), "-"), 0, "%u", i);
    }
    expect_silence();
    case_pass(4900);
    expect_silence();
    case_pass(300);
    cr_expect_str_eq(case_heard(2), COUNT("room", "150"));
    case_pass(60000);
    expect_silence();
    for (uint32_t i = 0; i < 150; i++) {
        case_leave(joins[i]);
        case_settle();
        bool is_told = i == 0 || (i >= 49 && i < 149); /* it was long ago, or they are few, and somebody is there */
        cr_expect_eq(strcmp(case_heard(2), "-") != 0, is_told, "%u", i);
    }
    case_end();
}

/* ---- users ---- */

#define ONLINE(name)                                                                                      \
    "{\"event\":\"pusher_internal:watchlist_events\",\"data\":\"{\\\"events\\\":[{\\\"name\\\":\\\"" name \
    "\\\",\\\""                                                                                           \
    "user_ids\\\":[\\\"ann\\\"]}]}\"}"

Test(home, who_watches_a_user_is_told_of_the_first_and_the_last_connection, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    struct join *watcher = case_join(1, "#server-to-user-ann", FORM_WATCH, NULL);
    cr_expect_not(watcher->is_online);
    struct join *one = case_join(2, "#server-to-user-ann", FORM_EVENT, NULL);
    cr_expect_null(one->greeting);
    cr_expect_str_eq(case_heard_in(1, FORM_WATCH), ONLINE("online"));
    struct join *two = case_join(1, "#server-to-user-ann", FORM_EVENT, NULL);
    struct join *late = case_join(2, "#server-to-user-ann", FORM_WATCH, NULL);
    cr_expect(late->is_online);
    case_leave(one);
    expect_silence();
    case_leave(two);
    cr_expect_str_eq(case_heard_in(1, FORM_WATCH), ONLINE("offline"));
    cr_expect_str_eq(case_heard_in(2, FORM_WATCH), ONLINE("offline"));
    cr_expect_eq(channels(), 1, "for those who watch");
    case_leave(late);
    case_leave(watcher);
    case_settle();
    cr_expect_eq(channels(), 0);
    cr_expect_str_eq(case_hooks(), "", "backends hear nothing of users");
    case_end();
}

/* ---- the end ---- */

Test(home, an_end_in_the_middle_of_a_turn_gives_up_who_waits, .timeout = 10)
{
    case_begin(CASE_FLAGS(HOOKS));
    case_ask(1, "presence-a", FORM_EVENT, "ann");
    case_ask(2, "presence-a", FORM_EVENT, "ben");
    case_end();
}
