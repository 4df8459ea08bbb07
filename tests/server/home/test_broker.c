/* tests/server/home/test_broker.c - a channel at the cluster: entered by its first reader, left by its last, whatever
 * is answered when. */
#include "server/home/broker.h"

#include "core/channel.h"
#include "core/roster.h"
#include "server/home/broker_state.h"
#include "tests/support/home_case.h"
#include "tests/support/home_cluster.h"

#include <criterion/criterion.h>
#include <string.h>

#define EPOCH                  "k3x9ab2m"
#define POSITION(number, what) "\\\"offset\\\":" #number ",\\\"epoch\\\":\\\"" EPOCH "\\\",\\\"recovered\\\":" what

static const struct position nowhere;

static const struct broker *broker_of(const char *channel)
{
    struct name name = name_of(0, text_of(channel));
    struct channel *found = hub_find(&case_home->hub, &name);
    return found != NULL ? found->roster->broker : NULL;
}

static void expect_joined(uint32_t to, struct join *join, enum rc rc)
{
    cr_assert_eq(case_joined(to), join);
    cr_assert_eq(join->rc, rc, "%s", rc_text(join->rc));
}

/* ---- entering ---- */

Test(broker, the_first_reader_enters_and_all_wait_for_the_answer_in_their_order, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS(""));
    struct join *one = case_ask(1, "room", FORM_EVENT, NULL), *two = case_ask(1, "room", FORM_RAW, NULL),
                *three = case_ask(2, "room", FORM_EVENT, NULL);
    struct cluster_job *enter = case_asked(CLUSTER_ENTER, "room");
    expect_nothing_asked();
    expect_silence();
    cr_expect_null(enter->rule, "it keeps no history");
    case_reply(enter, RC_OK);
    expect_joined(1, one, RC_OK);
    expect_joined(1, two, RC_OK);
    expect_joined(2, three, RC_OK);
    struct join *four = case_ask(2, "room", FORM_EVENT, NULL);
    expect_joined(2, four, RC_OK);
    expect_nothing_asked();
    case_leave(one);
    case_leave(two);
    case_leave(three);
    expect_nothing_asked();
    case_leave(four);
    case_reply(case_asked(CLUSTER_LEAVE, "room"), RC_OK);
    case_settle();
    cr_expect_eq(case_home->hub.count, 0);
    case_end_in_cluster();
}

Test(broker, who_watches_a_user_reads_its_channel, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS(""));
    struct join *watcher = case_ask(1, "#server-to-user-ann", FORM_WATCH, NULL);
    struct cluster_job *enter = case_asked(CLUSTER_ENTER, "#server-to-user-ann");
    uint32_t serial = enter->serial;
    case_reply(enter, RC_OK);
    case_people_sum(serial, "#server-to-user-ann", 0);
    case_settle();
    expect_joined(1, watcher, RC_OK);
    case_leave(watcher);
    case_reply(case_asked(CLUSTER_LEAVE, "#server-to-user-ann"), RC_OK);
    case_end_in_cluster();
}

Test(broker, what_cannot_be_entered_is_refused_to_all_who_waited_and_tried_anew, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS(""));
    struct join *one = case_ask(1, "room", FORM_EVENT, NULL), *two = case_ask(2, "room", FORM_EVENT, NULL);
    case_reply(case_asked(CLUSTER_ENTER, "room"), RC_ECLUSTER);
    expect_joined(1, one, RC_ECLUSTER);
    expect_joined(2, two, RC_ECLUSTER);
    join_free(&case_home->counters, one);
    join_free(&case_home->counters, two);
    expect_nothing_asked();
    cr_expect_eq(case_home->hub.count, 0);
    case_cluster_is_full = true;
    one = case_ask(1, "room", FORM_EVENT, NULL);
    expect_joined(1, one, RC_ECLUSTER);
    join_free(&case_home->counters, one);
    cr_expect_eq(case_home->hub.count, 0);
    case_cluster_is_full = false;
    one = case_ask(1, "room", FORM_EVENT, NULL);
    case_reply(case_asked(CLUSTER_ENTER, "room"), RC_OK);
    expect_joined(1, one, RC_OK);
    case_leave(one);
    case_end_in_cluster();
}

Test(broker, members_wait_too_and_the_answer_has_them_all, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS(""));
    struct join *ann = case_ask(1, "presence-a", FORM_EVENT, "ann"),
                *ben = case_ask(1, "presence-a", FORM_EVENT, "ben");
    struct cluster_job *enter = case_asked(CLUSTER_ENTER, "presence-a");
    uint32_t serial = enter->serial;
    case_reply(enter, RC_OK);
    case_people_tell(serial, "presence-a", "+ann +ben ", true);
    case_settle();
    case_heard(1); /* that they came, which concerns who is there already */
    case_heard(1);
    expect_joined(1, ann, RC_OK);
    expect_joined(1, ben, RC_OK);
    cr_expect_not_null(strstr(case_greeting(ann), "\\\"count\\\":2"), "%s", case_greeting(ann));
    case_leave(ann);
    case_leave(ben);
    case_settle();
    case_end_in_cluster();
}

/* ---- positions ---- */

Test(broker, who_asks_for_a_position_has_it_made_if_there_is_none, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_ask(1, "room", FORM_EVENT, NULL);
    struct cluster_job *enter = case_asked(CLUSTER_ENTER, "room");
    cr_expect_not_null(enter->rule);
    cr_expect_not(enter->needs_position, "nobody asks for it");
    struct join *two = case_ask_since(1, "room", NULL, &nowhere);
    expect_nothing_asked();
    uint32_t serial = enter->serial;
    case_reply(enter, RC_OK);
    expect_joined(1, one, RC_OK);
    expect_silence(); /* the second waits on */
    enter = case_asked(CLUSTER_ENTER, "room");
    cr_expect(enter->needs_position);
    cr_expect_eq(enter->serial, serial, "it is entered all the time");
    struct join *three = case_ask_since(2, "room", NULL, &nowhere);
    struct join *four = case_ask(2, "room", FORM_EVENT, NULL);
    expect_joined(2, four, RC_OK);
    expect_nothing_asked();
    case_reply_at(enter, 0, EPOCH);
    expect_joined(1, two, RC_OK);
    expect_joined(2, three, RC_OK);
    cr_expect_not_null(strstr(case_greeting(two), POSITION(0, "false")), "%s", case_greeting(two));
    cr_expect_not_null(strstr(case_greeting(three), POSITION(0, "false")));
    case_leave(one);
    case_leave(two);
    case_leave(three);
    case_leave(four);
    case_end_in_cluster();
}

Test(broker, without_a_position_the_channel_can_be_read_and_resuming_is_refused, .timeout = 10)
{
    struct position since = {.offset = 3, .epoch = EPOCH};
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_ask_since(1, "room", NULL, &since);
    struct cluster_job *enter = case_asked(CLUSTER_ENTER, "room");
    cr_expect(enter->needs_position);
    case_reply(enter, RC_OK); /* though it says none */
    expect_joined(1, one, RC_OK);
    cr_expect_not_null(strstr(case_greeting(one), "{\\\"recovered\\\":false}"), "%s", case_greeting(one));
    struct join *two = case_ask_since(1, "room", NULL, &nowhere);
    expect_joined(1, two, RC_OK);
    expect_nothing_asked();
    case_leave(one);
    case_leave(two);
    case_end_in_cluster();
}

Test(broker, a_position_that_cannot_be_had_keeps_nobody_out, .timeout = 10)
{
    uint32_t serial;
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_enter(1, "room", FORM_EVENT, 0, "", &serial);
    case_cluster_is_full = true;
    struct join *two = case_ask_since(1, "room", NULL, &nowhere);
    expect_joined(1, two, RC_OK);
    case_cluster_is_full = false;
    struct join *three = case_ask_since(1, "room", NULL, &nowhere);
    case_reply(case_asked(CLUSTER_ENTER, "room"), RC_ECLUSTER);
    expect_joined(1, three, RC_OK);
    cr_expect_eq(broker_of("room")->state, BROKER_IN);
    case_leave(one);
    case_leave(two);
    case_leave(three);
    case_end_in_cluster();
}

/* ---- leaving ---- */

Test(broker, who_comes_back_before_the_leaving_is_answered_enters_anew, .timeout = 10)
{
    uint32_t serial;
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_enter(1, "room", FORM_EVENT, 7, EPOCH, &serial);
    case_tell_numbers(serial, "room", 8, 9, EPOCH);
    case_heard(1);
    case_heard(1);
    case_leave(one);
    struct cluster_job *leave = case_asked(CLUSTER_LEAVE, "room");
    cr_expect_eq(case_counter(COUNTER_history_logs), 0, "what was known is over");
    one = case_ask(1, "room", FORM_EVENT, NULL);
    struct cluster_job *enter = case_asked(CLUSTER_ENTER, "room");
    cr_expect_neq(enter->serial, serial);
    case_tell_numbers(serial, "room", 10, 10, EPOCH); /* of before */
    case_reply(leave, RC_OK);
    expect_silence();
    case_reply_at(enter, 12, EPOCH);
    expect_joined(1, one, RC_OK);
    case_leave(one);
    case_end_in_cluster();
}

Test(broker, all_who_waited_may_be_gone_when_the_answer_comes, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS(""));
    struct join *one = case_ask(1, "room", FORM_EVENT, NULL);
    case_reply(case_asked(CLUSTER_ENTER, "room"), RC_OK);
    expect_joined(1, one, RC_OK);
    case_give(1, (struct letter){.join = one, .kind = LETTER_UNSUBSCRIBE}); /* the answer has found nobody */
    case_reply(case_asked(CLUSTER_LEAVE, "room"), RC_OK);
    case_settle();
    cr_expect_eq(case_home->hub.count, 0);
    case_end_in_cluster();
}

Test(broker, a_leaving_that_could_not_be_asked_for_is_asked_for_later, .timeout = 10)
{
    uint32_t serial;
    case_begin_in_cluster(CASE_FLAGS(""));
    struct join *one = case_enter(1, "room", FORM_EVENT, 0, "", &serial),
                *two = case_enter(1, "other", FORM_EVENT, 0, "", &serial);
    case_cluster_is_full = true;
    case_leave(one);
    case_leave(two);
    broker_leave_again(case_home);
    cr_expect_eq(broker_of("room")->state, BROKER_IN);
    two = case_ask(1, "other", FORM_EVENT, NULL);
    expect_joined(1, two, RC_OK);
    case_cluster_is_full = false;
    broker_leave_again(case_home);
    case_reply(case_asked(CLUSTER_LEAVE, "room"), RC_OK);
    expect_nothing_asked();
    cr_expect_null(broker_of("room"));
    case_leave(two);
    case_asked(CLUSTER_LEAVE, "other");
    case_end_in_cluster();
}

/* The shard ends with everything under way. */
Test(broker, the_end_gives_up_what_waits, .timeout = 10)
{
    uint32_t serial;
    struct position since = {.offset = 3, .epoch = EPOCH};
    case_begin_in_cluster(CASE_FLAGS("", "--history", "*"));
    struct join *in = case_enter(1, "other", FORM_EVENT, 9, EPOCH, &serial);
    case_ask(1, "room", FORM_EVENT, NULL);
    case_ask(2, "room", FORM_EVENT, NULL);
    case_ask_since(1, "other", NULL, &since);
    case_send(case_query(1, QUERY_HISTORY, "third"));
    case_publish(1, case_message("third", ORIGIN_BACKEND, "x"));
    case_send(case_query_publish(1, case_message("third", ORIGIN_BACKEND, "x"), QUERY_OF_BACKEND, "key"));
    join_free(&case_home->counters, in);
    case_end_in_cluster();
}
