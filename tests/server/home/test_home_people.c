/* tests/server/home/test_home_people.c - a home among nodes: who waits for the cluster's word, what the others are
 * told by it, and what the cluster is told. */
#include "core/roster.h"
#include "server/home/home_people.h"
#include "tests/support/home_case.h"
#include "tests/support/home_cluster.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define FLAGS   CASE_FLAGS("webhook=http://x/ webhook_events=all subscription_counts=yes")
#define NOTHING "-"

static void begin(void)
{
    case_begin_in_cluster(FLAGS);
}

static void end(void)
{
    case_end_in_cluster();
}

/* ENTER is answered; its serial. */
static uint32_t entered(const char *channel)
{
    struct cluster_job *enter = case_asked(CLUSTER_ENTER, channel);
    uint32_t serial = enter->serial;
    case_reply_at(enter, 0, "");
    return serial;
}

static bool has_greeting(const struct join *join, const char *part)
{
    return strstr(case_greeting(join), part) != NULL;
}

/* A member of that shard, alone in the channel. */
static struct join *come(uint32_t from, const char *channel, const char *user_id, uint32_t *serial_r)
{
    char change[64];
    case_ask(from, channel, FORM_EVENT, user_id);
    *serial_r = entered(channel);
    snprintf(change, sizeof change, "+%s ", user_id);
    case_people_tell(*serial_r, channel, change, true);
    case_settle();
    case_people();
    cr_expect_not_null(strstr(case_heard(from), "member_added"));
    struct join *join = case_joined(from);
    cr_assert_eq(join->rc, RC_OK);
    return join;
}

static void drop_letters(void)
{
    while (strcmp(case_heard(1), NOTHING) != 0 || strcmp(case_heard(2), NOTHING) != 0) {
    }
}

#define SUM(channel, sum)                                                                        \
    "{\"event\":\"pusher_internal:subscription_count\",\"channel\":\"" channel "\",\"data\":\"{" \
    "\\\"subscription_count\\\":" sum "}\"}"
#define REMOVED(channel, id)                                                                                 \
    "{\"event\":\"pusher_internal:member_removed\",\"channel\":\"" channel "\",\"data\":\"{\\\"user_id\\\":" \
    "\\\"" id "\\\"}\"}"

Test(home_people, who_joins_waits_until_all_members_are_known, .timeout = 10, .init = begin, .fini = end)
{
    struct join *ann = case_ask(1, "presence-a", FORM_EVENT, "ann");
    uint32_t serial = entered("presence-a");
    case_settle();
    cr_expect_str_eq(case_people(), "join:presence-a/ann count:presence-a=1 ");
    expect_silence();
    case_people_tell(serial, "presence-a", "+ann +ben ", false);
    case_settle();
    drop_letters(); /* for whoever reads on that shard, which is nobody yet */
    case_people_tell(serial, "presence-a", "+cat ", true);
    case_settle();
    cr_expect_str_neq(case_heard(1), NOTHING);
    cr_assert_eq(case_joined(1), ann);
    cr_assert_eq(ann->rc, RC_OK);
    cr_expect(has_greeting(ann, "\\\"count\\\":3"), "%s", case_greeting(ann));
    cr_expect_str_eq(case_hooks(), "", "backends hear of it by one node alone");
    case_leave(ann);
    case_settle();
    cr_expect_str_eq(case_people(), "part:presence-a/ann count:presence-a=0 ");
}

Test(home_people, a_user_is_told_to_the_cluster_once_for_all_connections, .timeout = 10, .init = begin, .fini = end)
{
    uint32_t serial;
    struct join *first = come(1, "presence-a", "ann", &serial);
    struct join *second = case_join(2, "presence-a", FORM_EVENT, "ann");
    cr_expect_eq(second->rc, RC_OK);
    cr_expect(has_greeting(second, "\\\"count\\\":1"), "%s", case_greeting(second));
    cr_expect_str_eq(case_people(), "count:presence-a=2 ");
    case_leave(first);
    case_settle();
    cr_expect_str_eq(case_people(), "count:presence-a=1 ");
    drop_letters();
    case_leave(second);
    case_settle();
    cr_expect_str_eq(case_people(), "part:presence-a/ann count:presence-a=0 ");
}

Test(home_people, who_goes_on_another_node_is_told_here_and_not_to_backends, .timeout = 10, .init = begin,
     .fini = end)
{
    uint32_t serial;
    struct join *ann = come(1, "presence-a", "ann", &serial);
    case_people_tell(serial, "presence-a", "+ben ", true);
    case_settle();
    cr_expect_not_null(strstr(case_heard(1), "member_added"));
    case_people_tell(serial, "presence-a", "-ben -nobody ", true);
    case_settle();
    cr_expect_str_eq(case_heard(1), REMOVED("presence-a", "ben"));
    cr_expect_str_eq(case_heard(1), NOTHING);
    cr_expect_str_eq(case_hooks(), "");
    case_people_news("1001", WEBHOOK_member_removed, "presence-a", "ben");
    case_people_news("1002", WEBHOOK_member_removed, "presence-a", "ben");
    cr_expect_str_eq(case_hooks(), "member_removed:presence-a/ben ", "of an app that this node has");
    case_people_tell(serial + 1, "presence-a", "+dot ", true);
    case_settle();
    cr_expect_str_eq(case_heard(1), NOTHING, "of another entrance");
    case_leave(ann);
}

Test(home_people, who_has_been_gone_for_a_moment_is_told_again, .timeout = 10, .init = begin, .fini = end)
{
    uint32_t serial;
    struct join *ann = come(1, "presence-a", "ann", &serial);
    case_leave(ann);
    case_reply(case_asked(CLUSTER_LEAVE, "presence-a"), RC_OK);
    ann = come(1, "presence-a", "ann", &serial);
    cr_expect(has_greeting(ann, "\\\"count\\\":1"), "%s", case_greeting(ann));
    case_leave(ann);
}

Test(home_people, who_waits_too_long_is_sent_away, .timeout = 10, .init = begin, .fini = end)
{
    struct join *ann = case_ask(1, "presence-a", FORM_EVENT, "ann");
    entered("presence-a");
    case_settle();
    case_people();
    case_pass(PEOPLE_WAIT_MS - 1000);
    expect_silence();
    case_pass(2000);
    cr_assert_eq(case_joined(1), ann);
    cr_expect_eq(ann->rc, RC_ECLUSTER);
    case_settle();
    cr_expect_str_eq(case_people(), "part:presence-a/ann count:presence-a=0 ");
    join_free(&case_home->counters, ann);
}

Test(home_people, the_sum_is_told, .timeout = 10, .init = begin, .fini = end)
{
    struct join *join = case_ask(1, "a", FORM_EVENT, NULL);
    uint32_t serial = entered("a");
    cr_assert_eq(case_joined(1), join, "nobody needs to know more");
    case_settle();
    cr_expect_str_eq(case_people(), "count:a=1 ");
    expect_silence();
    case_people_sum(serial, "a", 7);
    case_settle();
    cr_expect_str_eq(case_heard(1), SUM("a", "7"));
    cr_expect_str_eq(case_hooks(), "");
    case_leave(join);
}

Test(home_people, who_watches_a_user_hears_of_all_nodes, .timeout = 10, .init = begin, .fini = end)
{
    struct join *watch = case_ask(1, "#server-to-user-ann", FORM_WATCH, NULL);
    uint32_t serial = entered("#server-to-user-ann");
    case_settle();
    expect_silence();
    case_people_sum(serial, "#server-to-user-ann", 2);
    case_settle();
    cr_assert_eq(case_joined(1), watch);
    cr_expect(watch->is_online);
    case_people_sum(serial, "#server-to-user-ann", 1);
    case_settle();
    expect_silence();
    case_people_sum(serial, "#server-to-user-ann", 0);
    case_settle();
    const char *text = case_heard_in(1, FORM_WATCH);
    cr_expect_not_null(strstr(text, "offline"), "%s", text);
    case_people_sum(serial, "#server-to-user-ann", 1);
    case_settle();
    text = case_heard_in(1, FORM_WATCH);
    cr_expect_not_null(strstr(text, "online"), "%s", text);
    cr_expect_str_eq(case_people(), "", "a watcher is no subscriber");
    struct join *again = case_join(2, "#server-to-user-ann", FORM_WATCH, NULL);
    cr_expect(again->is_online);
    case_leave(again);
    case_leave(watch);
}

Test(home_people, what_is_not_read_here_the_cluster_is_asked, .timeout = 10, .init = begin, .fini = end)
{
    uint32_t serial;
    struct query *query = case_query(2, QUERY_CHANNEL, "presence-a");
    case_send(query);
    cr_expect_str_eq(case_people(), "query:presence-a ");
    case_people_reply(RC_OK, 7, 3);
    cr_expect_eq(query->facts.subscription_count, 7);
    cr_expect_eq(query->facts.user_count, 3);
    case_answered(query, RC_OK);
    query = case_query(2, QUERY_USERS, "presence-a");
    case_send(query);
    case_people_reply(RC_ECLUSTER, 0, 0);
    case_answered(query, RC_ECLUSTER);
    struct join *ann = come(1, "presence-a", "ann", &serial);
    case_people_sum(serial, "presence-a", 9);
    query = case_query(2, QUERY_CHANNEL, "presence-a");
    case_send(query);
    cr_expect_eq(query->facts.subscription_count, 9);
    cr_expect_eq(query->facts.user_count, 1);
    case_answered(query, RC_OK);
    query = case_query(2, QUERY_USERS, "presence-a");
    case_send(query);
    cr_expect_str_eq(case_answered(query, RC_OK), "{\"id\":\"ann\"}");
    query = case_query(2, QUERY_CHANNELS, "");
    case_send(query);
    case_people_reply(RC_OK, 0, 0);
    case_answered(query, RC_OK);
    case_leave(ann);
}

Test(home_people, a_user_is_closed_by_the_clusters_word, .timeout = 10, .init = begin, .fini = end)
{
    struct join *join = case_ask(1, "#server-to-user-ann", FORM_EVENT, NULL);
    uint32_t serial = entered("#server-to-user-ann");
    cr_assert_eq(case_joined(1), join);
    struct query *query = case_query(2, QUERY_TERMINATE, "#server-to-user-ann");
    query->message = case_message("#server-to-user-ann", ORIGIN_BACKEND, "");
    case_send(query);
    expect_silence();
    case_people_terminate(serial, "#server-to-user-ann");
    struct letter letter = case_next(1);
    cr_assert_eq(letter.kind, LETTER_TERMINATE);
    message_drop(&case_home->counters, letter.message);
    case_people_reply(RC_OK, 0, 0);
    case_answered(query, RC_OK);
    case_leave(join);
}

Test(home_people, what_the_cluster_has_no_room_for_is_told_later, .timeout = 10, .init = begin, .fini = end)
{
    uint32_t serial;
    struct join *ann = come(1, "presence-a", "ann", &serial);
    case_cluster_is_full = true;
    case_leave(ann);
    case_settle();
    cr_expect_str_eq(case_people(), "");
    case_cluster_is_full = false;
    case_people_sum(serial, "presence-a", 1);
    cr_expect_str_eq(case_people(), "part:presence-a/ann count:presence-a=0 ");
}
