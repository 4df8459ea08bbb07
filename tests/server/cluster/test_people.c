/* tests/server/cluster/test_people.c - people of several nodes on one Redis: who is told what, what backends hear, and
 * what is left when a node is gone. */
#include "server/cluster/people.h"

#include "core/counters.h"
#include "core/query.h"
#include "core/span.h"
#include "server/cluster/people_job.h"
#include "tests/support/people_redis.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define APP text_of("1001")

static struct name presence, room;

static void begin(void)
{
    people_redis_begin();
    presence = name_of(0, text_of("presence-a"));
    room = name_of(0, text_of("room"));
}

static void end(void)
{
    people_redis_end();
}

/* The shard is 0, and the test's own jobs come back at once. */
static void take(uint32_t node, const struct people_job *as)
{
    people_take(people_nodes[node].people, people_job_new(as));
}

static void join(uint32_t node, const char *user_id)
{
    take(node, &(struct people_job){.wish = PEOPLE_JOIN,
                                    .name = presence,
                                    .app = APP,
                                    .user_id = text_of(user_id),
                                    .info = text_of(user_id)});
}

static void part(uint32_t node, const char *user_id)
{
    take(node, &(struct people_job){.wish = PEOPLE_PART, .name = presence, .app = APP, .user_id = text_of(user_id)});
}

static void count(uint32_t node, const struct name *name, uint64_t subscribers)
{
    take(node, &(struct people_job){.wish = PEOPLE_COUNT, .name = *name, .app = APP, .count = subscribers});
}

static void enter(uint32_t node, const struct name *name)
{
    cr_expect_eq(people_entered(people_nodes[node].people, name, APP, 0, 1), RC_OK);
}

/* So many nodes that read both channels, and have told what there is to be told at first. */
static void begin_nodes(uint32_t nodes)
{
    for (uint32_t i = 0; i < nodes; i++) {
        people_node_begin(i);
        enter(i, &presence);
        enter(i, &room);
    }
    people_settle();
    for (uint32_t i = 0; i < nodes; i++)
        people_told(i);
}

Test(people, who_comes_and_goes_is_told_on_all_nodes_and_to_backends_once, .timeout = 10, .init = begin, .fini = end)
{
    begin_nodes(2);
    join(0, "ann");
    people_settle();
    const char *text = people_told(0);
    cr_expect_not_null(strstr(text, "+ann:ann "), "%s", text);
    cr_expect_not_null(strstr(text, "member_added:presence-a/ann "), "%s", text);
    cr_expect_str_eq(people_told(1), "+ann:ann ");
    join(1, "ann");
    people_settle();
    part(0, "ann");
    people_settle();
    cr_expect_str_eq(people_told(0), "", "is still there on the other node");
    cr_expect_str_eq(people_told(1), "");
    part(1, "ann");
    people_settle();
    cr_expect_str_eq(people_told(0), "-ann ");
    text = people_told(1);
    cr_expect_not_null(strstr(text, "-ann "), "%s", text);
    cr_expect_not_null(strstr(text, "member_removed:presence-a/ann "), "%s", text);
}

Test(people, numbers_are_summed_up_and_told_once_a_second, .timeout = 10, .init = begin, .fini = end)
{
    begin_nodes(2);
    count(0, &room, 1);
    people_settle();
    const char *text = people_told(0);
    cr_expect_not_null(strstr(text, "sum=1 "), "%s", text);
    cr_expect_not_null(strstr(text, "channel_occupied:room/ subscription_count:room/1 "), "%s", text);
    cr_expect_str_eq(people_told(1), "sum=1 ");
    count(1, &room, 4);
    count(0, &room, 2);
    count(0, &room, 3);
    people_settle();
    text = people_told(1);
    cr_expect_not_null(strstr(text, "subscription_count:room/5 "), "%s", text);
    cr_expect_str_eq(people_told(0), "sum=5 ", "its own second is not over");
    people_pass(1100);
    cr_expect_str_eq(people_told(1), "sum=7 ");
    cr_expect_not_null(strstr(people_told(0), "subscription_count:room/7 "));
    count(0, &room, 0);
    count(1, &room, 0);
    people_settle();
    text = people_told(1);
    cr_expect_not_null(strstr(text, "sum=0 "), "%s", text);
    char both[1024];
    snprintf(both, sizeof both, "%s%s", text, people_told(0));
    cr_expect_not_null(strstr(both, "channel_vacated:room/ "), "%s", both);
    cr_expect_null(strstr(strstr(both, "channel_vacated") + 1, "channel_vacated"), "once: %s", both);
}

Test(people, a_users_own_channel_has_a_number_of_which_backends_do_not_hear, .timeout = 10, .init = begin,
     .fini = end)
{
    struct name user = name_of(0, text_of("#server-to-user-ann"));
    begin_nodes(2);
    enter(1, &user);
    people_settle();
    cr_expect_str_eq(people_told(1), "sum=0 ");
    count(0, &user, 1);
    people_settle();
    cr_expect_str_eq(people_told(0), "");
    cr_expect_str_eq(people_told(1), "sum=1 ");
}

Test(people, a_dead_node_is_swept_and_each_member_leaves_once, .timeout = 30, .init = begin, .fini = end)
{
    char user_id[16];
    begin_nodes(3);
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(user_id, sizeof user_id, "u%u", i);
        join(0, user_id);
    }
    join(1, "u7");
    count(0, &presence, 1000);
    count(1, &presence, 1);
    people_settle();
    people_told(1);
    people_told(2);
    people_node_kill(0);
    people_pass(PEOPLE_LEASE_MS / 2);
    cr_expect_str_eq(people_told(1), "", "its lease runs");
    people_pass(PEOPLE_LEASE_MS);
    uint32_t gone[PEOPLE_NODES] = {0}, removed = 0;
    for (uint32_t i = 1; i < 3; i++) {
        const char *text = people_told(i);
        for (const char *at = text; (at = strchr(at, '-')) != NULL; at++)
            gone[i] += at == text || at[-1] == ' ';
        for (const char *at = text; (at = strstr(at, "member_removed:")) != NULL; at++)
            removed++;
        cr_expect_null(strstr(text, "-u7 "), "is there on another node");
        cr_expect_not_null(strstr(text, "sum=1 "));
    }
    cr_expect_eq(gone[1], 999);
    cr_expect_eq(gone[2], 999);
    cr_expect_eq(removed, 999, "by one of them each: %u", removed);
    cr_expect_leq(people_users_max, 500);
    cr_expect_not(people_redis_has(":n:0000000000000001"), "nothing is left of it");
}

Test(people, a_node_that_stops_leaves_nothing_behind, .timeout = 10, .init = begin, .fini = end)
{
    begin_nodes(2);
    join(0, "ann");
    join(0, "ben");
    count(0, &presence, 2);
    count(0, &room, 3);
    people_settle();
    people_told(1);
    people_stop(people_nodes[0].people);
    people_settle();
    cr_expect(people_has_stopped(people_nodes[0].people));
    const char *text = people_told(1);
    cr_expect_not_null(strstr(text, "-ann "), "%s", text);
    cr_expect_not_null(strstr(text, "-ben "), "%s", text);
    people_stop(people_nodes[1].people);
    people_settle();
    cr_expect_eq(people_redis_count(), 0);
}

/* SIGSTOP for longer than its lease. */
Test(people, who_was_away_too_long_comes_back_as_another_node, .timeout = 10, .init = begin, .fini = end)
{
    begin_nodes(2);
    join(0, "ann");
    count(0, &presence, 1);
    people_settle();
    people_told(0);
    people_told(1);
    people_stands_still[0] = true;
    people_pass(2 * PEOPLE_LEASE_MS);
    const char *text = people_told(1);
    cr_expect_not_null(strstr(text, "-ann "), "%s", text);
    cr_expect_not_null(strstr(text, "member_removed:presence-a/ann "), "%s", text);
    cr_expect_not_null(strstr(text, "channel_vacated:presence-a/ "), "%s", text);
    people_stands_still[0] = false;
    people_node_cut(0);
    people_node_link(0, false);
    enter(0, &presence);
    people_pass(PEOPLE_LEASE_MS);
    text = people_told(1);
    cr_expect_not_null(strstr(text, "+ann:ann "), "%s", text);
    cr_expect_not_null(strstr(text, "sum=1 "), "%s", text);
    text = people_told(0);
    cr_expect_null(strstr(text, "-ann"), "%s", text);
    cr_expect_not_null(strstr(text, "member_added:presence-a/ann "), "%s", text);
    cr_expect_str_neq(people_node(people_nodes[0].people), "0000000000000001");
    people_pass(4 * PEOPLE_LEASE_MS);
    cr_expect_str_eq(people_told(1), "", "its old life is swept, and nobody leaves for it");
}

Test(people, an_emptied_redis_is_filled_again_and_nobody_goes, .timeout = 10, .init = begin, .fini = end)
{
    struct name user = name_of(0, text_of("#server-to-user-ann"));
    begin_nodes(2);
    join(0, "ann");
    join(1, "ben");
    count(0, &presence, 1);
    count(1, &presence, 1);
    count(0, &user, 1);
    enter(1, &user);
    people_settle();
    people_told(0);
    cr_expect_not_null(strstr(people_told(1), "sum=1 "));
    people_node_cut(0);
    people_node_cut(1);
    people_redis_forget();
    for (uint32_t i = 2; i > 0; i--) { /* who watches comes back first */
        people_node_link(i - 1, true);
        enter(i - 1, &presence);
        if (i == 2) enter(1, &user);
        people_pass(300);
    }
    people_pass(PEOPLE_LEASE_MS / 2);
    cr_expect_str_eq(people_told(0), "");
    cr_expect_str_eq(people_told(1), "", "nobody goes, no sum falls, backends hear nothing");
    count(0, &user, 0);
    people_pass(4 * PEOPLE_LEASE_MS);
    cr_expect_str_eq(people_told(0), "");
    cr_expect_str_eq(people_told(1), "sum=0 ", "who has gone since has gone, at last");
    cr_expect_str_eq(people_redis_get(":c:", ""), "2");
    cr_expect_neq(people_redis_get(":p:", "ann")[0], '\0');
    cr_expect_neq(people_redis_get(":p:", "ben")[0], '\0');
}

Test(people, a_channel_that_is_left_is_forgotten, .timeout = 10, .init = begin, .fini = end)
{
    begin_nodes(1);
    join(0, "ann");
    count(0, &presence, 1);
    people_settle();
    people_left(people_nodes[0].people, &presence);
    part(0, "ann");
    count(0, &presence, 0);
    people_settle();
    cr_expect_not(people_redis_has("presence-a"));
    cr_expect_not(people_redis_has(":n:"));
    cr_expect_str_neq(people_told(0), "");
}

/* ---- what backends ask ---- */

/* "RC subscribers users text". Static. */
static const char *answer(uint32_t node, enum query_kind kind, const char *channel, unsigned info)
{
    static char text[1024];
    struct name name = name_of(0, text_of(channel));
    struct query *query = query_new(kind, &name);
    query->info = info;
    take(node, &(struct people_job){.wish = PEOPLE_QUERY, .name = name, .app = APP, .query = query});
    people_settle();
    snprintf(text, sizeof text, "%d %u %u %.*s", query->rc, query->facts.subscription_count, query->facts.user_count,
             query->text != NULL ? (int)query->text->count : 0,
             query->text != NULL ? (char *)query->text->bytes : "");
    struct counters counters = {0};
    query_free(&counters, query);
    return text;
}

Test(people, each_node_answers_for_all, .timeout = 10, .init = begin, .fini = end)
{
    begin_nodes(3);
    join(0, "ann");
    join(1, "\"ben");
    count(0, &presence, 1);
    count(1, &presence, 2);
    count(1, &room, 5);
    people_settle();
    cr_expect_str_eq(answer(2, QUERY_CHANNEL, "presence-a", 0), "0 3 2 ");
    cr_expect_str_eq(answer(2, QUERY_CHANNEL, "room", 0), "0 5 0 ");
    cr_expect_str_eq(answer(2, QUERY_CHANNEL, "no-such", 0), "0 0 0 ");
    const char *text = answer(2, QUERY_USERS, "presence-a", 0);
    cr_expect_eq(strlen(text), strlen("0 0 0 {\"id\":\"ann\"},{\"id\":\"\\\"ben\"}"), "%s", text);
    cr_expect_not_null(strstr(text, "{\"id\":\"\\\"ben\"}"), "%s", text);
    cr_expect_str_eq(answer(2, QUERY_USERS, "room", 0), "0 0 0 ");
    text = answer(2, QUERY_CHANNELS, "", QUERY_INFO_SUBSCRIPTION_COUNT);
    cr_expect_not_null(strstr(text, "\"presence-a\":{\"subscription_count\":3}"), "%s", text);
    cr_expect_not_null(strstr(text, "\"room\":{\"subscription_count\":5}"), "%s", text);
    cr_expect_str_eq(answer(0, QUERY_CHANNELS, "presence-", QUERY_INFO_USER_COUNT),
                     "0 0 0 \"presence-a\":{\"user_count\":2}");
    cr_expect_str_eq(answer(0, QUERY_CHANNELS, "roomy", 0), "0 0 0 ");
}

Test(people, a_list_has_the_channels_of_a_node_that_has_just_begun, .timeout = 10, .init = begin, .fini = end)
{
    begin_nodes(1);
    people_node_begin(1);
    count(1, &room, 1);
    people_settle();
    cr_expect_str_eq(answer(0, QUERY_CHANNELS, "", 0), "0 0 0 \"room\":{}");
}

/* Until it is swept a dead node's channels are there, but nobody who has left in order. */
Test(people, a_list_has_no_channel_without_anybody, .timeout = 10, .init = begin, .fini = end)
{
    begin_nodes(2);
    count(0, &room, 1);
    people_settle();
    people_node_cut(0);
    cr_expect_str_eq(answer(1, QUERY_CHANNELS, "", 0), "0 0 0 \"room\":{}");
    count(1, &room, 1);
    people_settle();
    count(1, &room, 0);
    people_settle();
    people_pass(3 * PEOPLE_LEASE_MS);
    cr_expect_str_eq(answer(1, QUERY_CHANNELS, "", 0), "0 0 0 ");
}

Test(people, without_redis_nobody_knows, .timeout = 10, .init = begin, .fini = end)
{
    char text[16];
    begin_nodes(1);
    people_node_cut(0);
    snprintf(text, sizeof text, "%d 0 0 ", RC_ECLUSTER);
    cr_expect_str_eq(answer(0, QUERY_CHANNELS, "", 0), text);
    cr_expect_str_eq(answer(0, QUERY_CHANNEL, "room", 0), text);
    cr_expect_str_eq(answer(0, QUERY_TERMINATE, "#server-to-user-ann", 0), text);
}

Test(people, where_a_user_is_all_are_told_to_close, .timeout = 10, .init = begin, .fini = end)
{
    struct name user = name_of(0, text_of("#server-to-user-ann"));
    begin_nodes(2);
    enter(0, &user);
    people_settle();
    people_told(0);
    cr_expect_str_eq(answer(1, QUERY_TERMINATE, "#server-to-user-ann", 0), "0 0 0 ");
    cr_expect_str_eq(people_told(0), "terminate ");
    cr_expect_str_eq(people_told(1), "");
}

/* ---- at random ---- */

#define USERS 4

static uint32_t wanted[PEOPLE_NODES][USERS];
static uint64_t numbers[PEOPLE_NODES];

static void wish(uint32_t node)
{
    static const char *const users[USERS] = {"ann", "ben", "cat", "dot"};
    uint32_t user = (uint32_t)random() % USERS;
    wanted[node][user] = !wanted[node][user];
    if (wanted[node][user])
        join(node, users[user]);
    else
        part(node, users[user]);
    numbers[node] = (uint64_t)random() % 3;
    count(node, &room, numbers[node]);
}

static void accident(uint32_t node)
{
    if (random() % 2 == 0) {
        people_node_kill(node);
        memset(wanted[node], 0, sizeof wanted[node]);
        numbers[node] = 0;
        people_node_begin(node);
    } else {
        people_node_cut(node);
        people_node_link(node, false);
    }
    enter(node, &presence);
    enter(node, &room);
}

static void run_at_random(uint32_t seed)
{
    srandom(seed);
    begin_nodes(3);
    for (uint32_t i = 0; i < 1500; i++) {
        uint32_t node = (uint32_t)random() % 3;
        people_now_ms += (uint64_t)random() % 20;
        if (random() % 10 == 0) wish(node);
        if (random() % 200 == 0) accident(node);
        people_run(people_nodes[node].people, people_now_ms);
        if (random() % 2 == 0) people_node_answer(node);
        if (random() % 2 == 0) people_node_push(node);
        if (strlen(people_nodes[node].events) > 30000) people_told(node);
    }
    people_pass(3 * PEOPLE_LEASE_MS);
}

/* Of the last sum that a node was told. */
static void expect_truth(uint32_t seed)
{
    static const char *const users[USERS] = {"ann", "ben", "cat", "dot"};
    uint64_t sum = 0;
    char text[24];
    for (uint32_t node = 0; node < 3; node++)
        sum += numbers[node];
    snprintf(text, sizeof text, "%llu", (unsigned long long)sum);
    cr_expect_str_eq(people_redis_get(":c:{1001:room}", ""), sum > 0 ? text : "", "seed %u", seed);
    for (uint32_t user = 0; user < USERS; user++) {
        bool is_here = wanted[0][user] || wanted[1][user] || wanted[2][user];
        cr_expect_eq(people_redis_get(":p:{1001:presence-a}", users[user])[0] != '\0', is_here, "seed %u", seed);
    }
    for (uint32_t node = 0; node < 3; node++)
        people_stop(people_nodes[node].people);
    people_settle();
    people_settle();
    cr_expect_eq(people_redis_count(), 0, "seed %u: nothing is left behind", seed);
}

Test(people, after_accidents_redis_has_the_truth_and_in_the_end_nothing, .timeout = 300)
{
    uint32_t seeds = getenv("RINGCAST_LONG") != NULL ? 1000 : 20;
    for (uint32_t seed = 1; seed <= seeds; seed++) {
        begin();
        memset(wanted, 0, sizeof wanted);
        memset(numbers, 0, sizeof numbers);
        run_at_random(seed);
        expect_truth(seed);
        end();
    }
}
