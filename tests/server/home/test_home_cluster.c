/* tests/server/home/test_home_cluster.c - what comes from the cluster: to the readers of this node, in the order that
 * all nodes have. */
#include "server/home/home_cluster.h"

#include "core/channel.h"
#include "core/roster.h"
#include "server/home/channel_log_state.h"
#include "server/shard/post.h"
#include "tests/support/home_case.h"
#include "tests/support/home_cluster.h"

#include <criterion/criterion.h>
#include <string.h>

#define EPOCH "k3x9ab2m"
#define OTHER "k3x9ab2n"
#define NUMBER(n, e) \
    "{\"event\":\"ev\",\"channel\":\"room\",\"data\":\"" #n "\",\"offset\":" #n ",\"epoch\":\"" e "\"}"
#define LOST(data) "{\"event\":\"pusher_internal:ringcast_position\",\"channel\":\"room\",\"data\":\"{" data "}\"}"

static const struct position nowhere;
static uint32_t serial;

static struct roster *roster_of(const char *channel)
{
    struct name name = name_of(0, text_of(channel));
    struct channel *found = hub_find(&case_home->hub, &name);
    cr_assert_not_null(found);
    return found->roster;
}

static void leave_all(struct join *one, struct join *two)
{
    case_leave(one);
    if (two != NULL) case_leave(two);
    case_end_in_cluster();
}

Test(home_cluster, readers_get_each_message_once_as_it_was_placed, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_enter(1, "room", FORM_EVENT, 6, EPOCH, &serial),
                *two = case_join(2, "room", FORM_EVENT, NULL);
    case_tell_numbers(serial, "room", 7, 9, EPOCH);
    for (uint32_t to = 1; to <= 2; to++) {
        cr_expect_str_eq(case_heard(to), NUMBER(7, EPOCH));
        cr_expect_str_eq(case_heard(to), NUMBER(8, EPOCH));
        cr_expect_str_eq(case_heard(to), NUMBER(9, EPOCH));
    }
    expect_silence();
    cr_expect_eq(case_counter(COUNTER_messages_published), 0, "that is counted where they were published");
    cr_expect_eq(roster_of("room")->traffic.messages[0], 3);
    leave_all(one, two);
}

/* The publisher's own message comes back as all do; the home hands out nothing else. */
Test(home_cluster, what_is_published_here_is_heard_when_it_comes_back, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS(""));
    struct join *one = case_enter(1, "room", FORM_EVENT, 0, "", &serial);
    case_publish(2, case_message("room", ORIGIN_BACKEND, "x"));
    case_reply(case_asked(CLUSTER_PUBLISH, "room"), RC_OK);
    expect_silence();
    case_tell(serial, case_from_cluster("room", ORIGIN_BACKEND, "x", 0, ""), "");
    cr_expect_str_eq(case_heard(1), "{\"event\":\"ev\",\"channel\":\"room\",\"data\":\"x\"}");
    leave_all(one, NULL);
}

Test(home_cluster, what_is_of_no_reader_any_more_is_dropped, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    case_tell_numbers(1, "room", 1, 2, EPOCH);
    case_tell_lost(1, "room", 3, EPOCH);
    cr_expect_eq(case_home->hub.count, 0);
    struct join *one = case_enter(1, "room", FORM_EVENT, 6, EPOCH, &serial);
    case_tell_numbers(serial + 1, "room", 7, 8, EPOCH);
    case_tell_lost(serial - 1, "room", 3, OTHER);
    expect_silence();
    cr_expect_eq(roster_of("room")->log->window.last.offset, 6);
    leave_all(one, NULL);
}

/* A message that has come before takes a place all the same. */
Test(home_cluster, a_place_without_a_new_message_moves_the_position, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_enter(1, "room", FORM_EVENT, 6, EPOCH, &serial);
    case_tell_numbers(serial, "room", 8, 7, EPOCH); /* none, up to 7 */
    expect_silence();
    struct join *two = case_ask_since(1, "room", NULL, &(struct position){.offset = 6, .epoch = EPOCH});
    cr_assert_eq(case_joined(1), two);
    cr_expect(two->is_recovered);
    cr_expect_not_null(strstr(case_greeting(two), "\\\"offset\\\":7"), "%s", case_greeting(two));
    leave_all(one, two);
}

Test(home_cluster, a_channel_that_had_no_position_gets_one_with_its_first_message, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_enter(1, "room", FORM_EVENT, 0, "", &serial);
    case_tell_numbers(serial, "room", 1, 2, EPOCH);
    cr_expect_str_eq(case_heard(1), NUMBER(1, EPOCH));
    cr_expect_str_eq(case_heard(1), NUMBER(2, EPOCH));
    struct join *two = case_ask_since(1, "room", NULL, &(struct position){.offset = 0, .epoch = EPOCH});
    expect_nothing_asked();
    cr_assert_eq(case_joined(1), two);
    cr_expect(two->is_recovered, "%s", case_greeting(two));
    leave_all(one, two);
}

Test(home_cluster, another_epoch_begins_another_window, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_enter(1, "room", FORM_EVENT, 6, EPOCH, &serial);
    case_tell_numbers(serial, "room", 7, 8, EPOCH);
    case_tell_numbers(serial, "room", 1, 1, OTHER);
    while (strcmp(case_heard(1), "-") != 0) {
    }
    const struct history *window = &roster_of("room")->log->window;
    cr_expect_eq(window->count, 1);
    cr_expect_eq(window->last.offset, 1);
    cr_expect_str_eq(window->last.epoch, OTHER);
    leave_all(one, NULL);
}

/* ---- what is lost ---- */

Test(home_cluster, readers_hear_once_that_something_is_missing, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_enter(1, "room", FORM_EVENT, 6, EPOCH, &serial),
                *raw = case_join(2, "room", FORM_RAW, NULL);
    case_tell_numbers(serial, "room", 7, 7, EPOCH);
    case_heard(1);
    case_heard_in(2, FORM_RAW);
    case_tell_lost(serial, "room", 2, OTHER);
    cr_expect_str_eq(case_heard(1), LOST("\\\"offset\\\":2,\\\"epoch\\\":\\\"" OTHER "\\\",\\\"recovered\\\":false"));
    expect_silence(); /* rooms know no positions */
    cr_expect_eq(case_counter(COUNTER_cluster_lost), 1);
    cr_expect_eq(roster_of("room")->log->window.count, 0);
    case_tell_lost(serial, "room", 0, "");
    cr_expect_str_eq(case_heard(1), LOST("\\\"recovered\\\":false"));
    case_tell_lost(serial, "room", 5, EPOCH);
    expect_silence(); /* nobody knew a position */
    leave_all(one, raw);
}

Test(home_cluster, a_position_that_is_over_is_asked_for_anew, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_ask_since(1, "room", NULL, &nowhere);
    struct cluster_job *enter = case_asked(CLUSTER_ENTER, "room");
    serial = enter->serial;
    case_reply_at(enter, 3, EPOCH);
    case_joined(1);
    case_tell_lost(serial, "room", 0, "");
    case_heard(1);
    struct join *two = case_ask_since(1, "room", NULL, &nowhere);
    enter = case_asked(CLUSTER_ENTER, "room");
    cr_expect(enter->needs_position);
    case_reply_at(enter, 0, OTHER);
    cr_assert_eq(case_joined(1), two);
    cr_expect_not_null(strstr(case_greeting(two), OTHER), "%s", case_greeting(two));
    leave_all(one, two);
}

Test(home_cluster, where_no_history_is_kept_nothing_is_told_of_positions, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "other"));
    struct join *one = case_enter(1, "room", FORM_EVENT, 0, "", &serial);
    case_tell_lost(serial, "room", 0, "");
    expect_silence();
    leave_all(one, NULL);
}

/* ---- cache channels ---- */

static struct message *cached(const char *data)
{
    struct message *message = case_from_cluster("cache-a", ORIGIN_BACKEND, data, 0, "");
    message->is_kept = true;
    return message;
}

Test(home_cluster, the_last_event_of_any_node_is_kept_while_somebody_reads, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("cache_ms=9s webhook=http://x/ webhook_events=cache_miss"));
    struct join *one = case_ask(1, "cache-a", FORM_EVENT, NULL);
    struct cluster_job *enter = case_asked(CLUSTER_ENTER, "cache-a");
    serial = enter->serial;
    enter->kept = cached("old");
    enter->cache_ms = 1000;
    case_reply(enter, RC_OK);
    case_joined(1);
    cr_expect_not_null(strstr(case_greeting(one), "\"data\":\"old\""), "%s", case_greeting(one));
    case_pass(2000);
    cr_expect_eq(case_counter(COUNTER_cache_bytes), 0, "its time had begun on another node");
    case_tell(serial, cached("new"), "");
    case_heard(1);
    struct join *two = case_join(2, "cache-a", FORM_EVENT, NULL);
    cr_expect_not_null(strstr(case_greeting(two), "\"data\":\"new\""), "%s", case_greeting(two));
    case_leave(one);
    case_leave(two);
    cr_expect_eq(case_counter(COUNTER_cache_bytes), 0, "who comes next hears from the cluster what is the last then");
    case_reply(case_asked(CLUSTER_LEAVE, "cache-a"), RC_OK);
    case_hooks();
    one = case_enter(1, "cache-a", FORM_EVENT, 0, "", &serial);
    cr_expect_not_null(strstr(case_greeting(one), "pusher:cache_miss"), "%s", case_greeting(one));
    leave_all(one, NULL);
}

/* ---- others ---- */

Test(home_cluster, a_guest_is_invited_so_often_only, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS(""));
    const char *channel = "#server-to-user-ann";
    struct join *one = case_enter(1, channel, FORM_EVENT, 0, "", &serial);
    for (uint32_t i = 0; i < 25; i++) {
        case_tell(serial, case_from_cluster(channel, ORIGIN_GUEST, "x", 0, ""), "");
    }
    uint32_t heard = 0;
    while (strcmp(case_heard(1), "-") != 0) {
        heard++;
    }
    cr_expect_eq(heard, 20);
    cr_expect_eq(case_counter(COUNTER_invitations_dropped), 5);
    case_publish(1, case_message(channel, ORIGIN_GUEST, "x"));
    case_asked(CLUSTER_PUBLISH, channel); /* counted where the guest is, when it comes */
    leave_all(one, NULL);
}

Test(home_cluster, an_operator_is_told_whether_the_channel_is_read, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS(""));
    struct join *one = case_ask(1, "room", FORM_EVENT, NULL);
    struct query *query = case_query(2, QUERY_REPORT, "room");
    case_send(query);
    const char *report = case_answered(query, RC_OK);
    cr_expect_not_null(strstr(report, "\"cluster\":\"being entered\""), "%s", report);
    case_reply(case_asked(CLUSTER_ENTER, "room"), RC_OK);
    case_joined(1);
    query = case_query(2, QUERY_REPORT, "room");
    case_send(query);
    report = case_answered(query, RC_OK);
    cr_expect_not_null(strstr(report, "\"cluster\":\"read here\""), "%s", report);
    leave_all(one, NULL);
}

/* The mailbox to shard 1 is full: what comes stays at the cluster. */
Test(home_cluster, nothing_is_taken_while_deliveries_wait, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *one = case_enter(1, "room", FORM_EVENT, 0, EPOCH, &serial);
    uint64_t offset = 0;
    while (!post_deliveries_wait(case_home)) {
        offset++;
        case_tell_numbers(serial, "room", offset, offset, EPOCH);
    }
    case_tell_numbers(serial, "room", offset + 1, offset + 1, EPOCH);
    cr_expect_eq(roster_of("room")->log->window.last.offset, offset);
    while (strcmp(case_heard(1), "-") != 0) {
        post_retry(case_home);
    }
    home_take_cluster(case_home);
    cr_expect_eq(roster_of("room")->log->window.last.offset, offset + 1);
    case_heard(1);
    leave_all(one, NULL);
}
