/* tests/server/cluster/test_cluster_members.c - the members of one channel: step by step on one node, and several
 * nodes at random on a Redis in memory, with accidents. What is told must lead from what was told before to the
 * truth. */
#include "server/cluster/cluster_members.h"
#include "server/cluster/cluster_members_read.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- step by step ---- */

static struct cluster_members *members;

static void begin(void)
{
    members = cluster_members_new(text_of("me"));
    cluster_members_begin(members);
}

static void end(void)
{
    cluster_members_free(members);
}

/* "+ann:1 -ben " of all that is to be told; static. */
static const char *told(void)
{
    static char text[4096];
    size_t at = 0;
    struct cluster_members_change change;
    text[0] = '\0';
    while (cluster_members_changes(members, &change, 1) > 0) {
        struct text user_id = change.user_id, info = change.info;
        if (change.has_left)
            at += (size_t)snprintf(text + at, sizeof text - at, "-%.*s ", (int)user_id.count, user_id.at);
        if (change.has_joined) {
            at += (size_t)snprintf(text + at, sizeof text - at, "+%.*s:%.*s ", (int)user_id.count, user_id.at,
                                   (int)info.count, info.at);
        }
        cluster_members_told(members, 1);
    }
    return text;
}

/* The next ask: "join ann", "leave ann", "snapshot"; "" if there is none. It is sent. */
static struct cluster_members_ask sent;
static const char *ask_at(uint64_t now_ms)
{
    static char text[256];
    static const char *const words[] = {"join ", "leave ", "snapshot"};
    if (!cluster_members_ask(members, now_ms, &sent)) return "";
    snprintf(text, sizeof text, "%s%.*s", words[sent.kind], (int)sent.user_id.count,
             sent.user_id.at != NULL ? sent.user_id.at : "");
    cluster_members_sent(members, &sent);
    return text;
}

static const char *ask(void)
{
    return ask_at(1);
}

static void push(const char *text)
{
    cr_expect(cluster_members_push(members, text_of(text)), "%s", text);
}

/* "ann=ME,INFO": pairs of id and value. */
static void snapshot_is(const char *version, const char *const rows[][2])
{
    cluster_members_snapshot_begin(members);
    for (uint32_t i = 0; rows != NULL && rows[i][0] != NULL; i++) {
        cluster_members_snapshot_row(members, text_of(rows[i][0]), text_of(rows[i][1]));
    }
    if (version != NULL) cluster_members_snapshot_row(members, text_of(""), text_of(version));
    cluster_members_snapshot_end(members, 1);
}

#define SNAPSHOT(version, ...)                                                                  \
    do {                                                                                        \
        cr_expect_str_eq(ask(), "snapshot");                                                    \
        snapshot_is(version, (const char *const[][2]){__VA_ARGS__ __VA_OPT__(, ){NULL, NULL}}); \
    } while (0)

static void join(const char *user_id, const char *info)
{
    cr_expect_eq(cluster_members_join(members, text_of(user_id), text_of(info)), RC_OK);
}

static void part(const char *user_id)
{
    cluster_members_part(members, text_of(user_id));
}

/* The ask sent last is answered; 'a': backends hear that somebody was added, 'r': removed, '-': nothing. */
static char answered(int answer)
{
    struct text user_id;
    enum cluster_members_news news = cluster_members_news(&sent, answer, &user_id);
    cluster_members_answered(members, &sent, answer, 1);
    return "-ar"[news];
}

Test(cluster_members, a_snapshot_is_told_and_the_next_numbers_are, .timeout = 5, .init = begin, .fini = end)
{
    push("+ 4 1 3 dot 1 x"); /* before: in the snapshot, or it does not matter */
    SNAPSHOT("5", {"ann", " you |1"}, {"ben", " me you |2"});
    const char *text = told();
    cr_expect(strcmp(text, "+ann:1 +ben:2 ") == 0 || strcmp(text, "+ben:2 +ann:1 ") == 0, "%s", text);
    push("+ 6 1 3 cat 1 3");
    cr_expect_str_eq(told(), "+cat:3 ");
    push("- 7 2 3 cat 3 ann ");
    cr_expect_str_eq(told(), "-cat -ann ");
    cr_expect_eq(cluster_members_count(members), 1);
    push("- 7 2 3 cat 3 ann ");
    push("+ 5 1 3 old 1 x");
    cr_expect_str_eq(told(), "", "old ones");
    cr_expect_str_eq(ask(), "leave ben", "who is said to be here is taken out");
    cr_expect_str_eq(ask(), "");
}

Test(cluster_members, what_is_pushed_during_a_snapshot_is_taken_behind_it, .timeout = 5, .init = begin, .fini = end)
{
    cr_expect_str_eq(ask(), "snapshot");
    push("+ 5 1 3 ann 1 1");
    push("- 6 1 3 ann ");
    push("+ 7 1 3 ben 1 2");
    cr_expect_str_eq(told(), "");
    snapshot_is("5", (const char *const[][2]){{"ann", " you |1"}, {NULL, NULL}});
    cr_expect_str_eq(told(), "+ben:2 ");
    cr_expect_str_eq(ask(), "");
}

Test(cluster_members, a_missing_number_leads_to_a_snapshot_and_its_difference_is_told, .timeout = 5, .init = begin,
     .fini = end)
{
    SNAPSHOT("5", {"ann", " you |1"}, {"ben", " you |2"});
    told();
    push("+ 7 1 3 cat 1 3");
    cr_expect_str_eq(told(), "");
    push("+ 8 1 3 dot 1 4");
    SNAPSHOT("8", {"ann", " you |other"}, {"cat", " you |3"}, {"dot", " you |4"});
    const char *text = told();
    cr_expect_eq(strlen(text), strlen("-ann +ann:other -ben +cat:3 +dot:4 "), "%s", text);
    cr_expect_not_null(strstr(text, "-ann +ann:other "), "another info is another member");
    cr_expect_not_null(strstr(text, "-ben "));
    cr_expect_not_null(strstr(text, "+cat:3 "));
    cr_expect_not_null(strstr(text, "+dot:4 "));
}

Test(cluster_members, what_cannot_be_read_is_a_number_that_is_missing, .timeout = 5, .init = begin, .fini = end)
{
    static const char *const broken[] = {"",
                                         "+",
                                         "+ 6",
                                         "+ 6 1",
                                         "+ 6 1 ",
                                         "+ 6 1 3 cat",
                                         "+ 6 1 9 cat 1 x",
                                         "+ 6 2 3 cat 1 x",
                                         "+ 6 1 0  1 x",
                                         "- 6 1 3cat",
                                         "- 6 2 3 cat ",
                                         "- 0 1 3 cat ",
                                         "* 6 1 3 cat 1 x",
                                         "- 99999999999999999999 1 3 cat ",
                                         "+ 6 1 3 catx1 x",
                                         "- 6 0 "};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        SNAPSHOT("5", {"ann", " you |1"});
        cr_expect_not(cluster_members_push(members, text_of(broken[i])), "'%s'", broken[i]);
    }
    SNAPSHOT("6", {"ann", " you |1"});
    told();
    push("- 7 1 3 ann ");
    cr_expect_str_eq(told(), "-ann ");
}

Test(cluster_members, too_many_pushes_during_a_snapshot_lead_to_one_more, .timeout = 5, .init = begin, .fini = end)
{
    char text[64];
    cr_expect_str_eq(ask(), "snapshot");
    for (uint32_t i = 0; i <= MEMBERS_PUSHES_MAX; i++) {
        snprintf(text, sizeof text, "%c %u 1 3 ann %s", i % 2 == 0 ? '+' : '-', 6 + i, i % 2 == 0 ? "1 1" : "");
        push(text);
    }
    snapshot_is("5", NULL);
    snprintf(text, sizeof text, "%u", 6 + MEMBERS_PUSHES_MAX);
    SNAPSHOT(text, {"ann", " you |1"});
    cr_expect_str_eq(told(), "+ann:1 ");
    cr_expect_str_eq(ask(), "");
}

Test(cluster_members, a_join_is_asked_until_answered, .timeout = 5, .init = begin, .fini = end)
{
    join("ann", "1");
    cr_expect_str_eq(ask(), "join ann");
    cr_expect_str_eq(ask(), "snapshot", "behind it");
    cluster_members_lost(members);
    cr_expect_str_eq(ask(), "join ann", "nobody knows what became of the first");
    cluster_members_failed(members, &sent, 1);
    cr_expect_str_eq(ask(), "");
    cr_expect_eq(cluster_members_due_ms(members), 1 + MEMBERS_RETRY_MS);
    cr_expect_str_eq(ask_at(1 + MEMBERS_RETRY_MS), "join ann");
    cr_expect_eq(answered(2), 'a');
    cluster_members_check(members); /* connected again */
    SNAPSHOT("3", {"ann", " me |1"});
    cr_expect_str_eq(told(), "+ann:1 ");
    part("ann");
    cr_expect_str_eq(ask_at(1 + MEMBERS_RETRY_MS), "leave ann");
    part("ann");
    push("- 4 1 3 ann ");
    cr_expect_eq(answered(2), 'r');
    cr_expect_str_eq(told(), "-ann ");
    cluster_members_end(members);
    cr_expect(cluster_members_is_idle(members));
}

Test(cluster_members, who_comes_back_while_leaving_joins_again, .timeout = 5, .init = begin, .fini = end)
{
    SNAPSHOT("5", {"ann", " me |1"});
    join("ann", "1");
    part("ann");
    join("ann", "1");
    told();
    cr_expect_str_eq(ask(), "", "was here all the time");
    part("ann");
    cr_expect_str_eq(ask(), "leave ann");
    join("ann", "1");
    cr_expect_str_eq(ask(), "", "one after the other");
    push("- 6 1 3 ann ");
    cr_expect_str_eq(told(), "", "who has connections here is not told to have gone");
    cr_expect_eq(answered(2), 'r');
    cr_expect_str_eq(ask(), "join ann");
    cr_expect_eq(answered(2), 'a');
    push("+ 7 1 3 ann 1 1");
    cr_expect_str_eq(told(), "");
}

Test(cluster_members, a_push_that_is_older_than_an_answer_does_not_hide_who_is_in_redis, .timeout = 5, .init = begin,
     .fini = end)
{
    SNAPSHOT("5", {"ann", " me |1"});
    told();
    cr_expect_str_eq(ask(), "leave ann");
    answered(2);
    join("ann", "1");
    cr_expect_str_eq(ask(), "join ann");
    answered(2);
    push("- 6 1 3 ann ");
    part("ann");
    cr_expect_str_eq(ask(), "leave ann");
}

Test(cluster_members, a_push_that_does_not_come_is_looked_for, .timeout = 5, .init = begin, .fini = end)
{
    SNAPSHOT("5");
    join("ann", "1");
    cr_expect_str_eq(ask(), "join ann");
    cr_expect_eq(answered(2), 'a');
    cr_expect_str_eq(told(), "", "it is told when Redis tells it");
    uint64_t due_ms = cluster_members_due_ms(members);
    cr_expect_eq(due_ms, 1 + MEMBERS_RETRY_MS);
    cluster_members_tick(members, due_ms);
    SNAPSHOT("6", {"ann", " me |1"});
    cr_expect_str_eq(told(), "+ann:1 ");
    cluster_members_tick(members, 2 * due_ms);
    cr_expect_str_eq(ask(), "");
    cr_expect_eq(cluster_members_due_ms(members), UINT64_MAX);
}

Test(cluster_members, own_users_are_put_back_and_the_others_have_a_lease_to_return, .timeout = 5, .init = begin,
     .fini = end)
{
    join("ann", "1");
    cr_expect_str_eq(ask(), "join ann");
    cr_expect_eq(answered(2), 'a');
    SNAPSHOT("6", {"ann", " me |1"}, {"ben", " you |2"}, {"cat", " you |3"});
    told();
    cluster_members_lost(members);
    cluster_members_forgotten(members, 15000);
    cluster_members_rename(members, text_of("me")); /* its lease was forgotten, too */
    cr_expect_str_eq(ask(), "join ann");
    struct cluster_members_ask ann = sent;
    SNAPSHOT(NULL);
    cr_expect_str_eq(told(), "", "nobody has gone yet");
    sent = ann;
    push("+ 1001 1 3 ann 1 1");
    cr_expect_eq(answered(2), '-', "backends know");
    SNAPSHOT("1002", {"ann", " me |1"}, {"ben", " you |2"});
    cr_expect_str_eq(told(), "");
    cr_expect_eq(cluster_members_due_ms(members), 1 + MEMBERS_RETRY_MS);
    cluster_members_tick(members, 14999);
    cr_expect_str_eq(told(), "");
    cluster_members_tick(members, 15000);
    cr_expect_str_eq(told(), "-cat ");
}

Test(cluster_members, under_another_name_all_join_again, .timeout = 5, .init = begin, .fini = end)
{
    join("ann", "1");
    cr_expect_str_eq(ask(), "join ann");
    answered(2);
    SNAPSHOT("6", {"ann", " me |1"}, {"cat", " you |3"});
    told();
    cluster_members_rename(members, text_of("new"));
    cr_expect_str_eq(ask(), "join ann");
    cr_expect_eq(answered(1), '-', "under the old name it is there until that is swept");
    join("ben", "2");
    cr_expect_str_eq(ask(), "join ben");
    struct cluster_members_ask ben = sent;
    cluster_members_rename(members, text_of("newer"));
    cr_expect_str_eq(ask(), "join ann");
    answered(1);
    sent = ben;
    answered(2);
    cr_expect_str_eq(ask(), "join ben", "under a name that is over");
    answered(1);
    SNAPSHOT("8", {"ann", " newer new me |1"}, {"ben", " newer new |2"}, {"cat", " me you |3"});
    cr_expect_str_eq(ask(), "", "what was under another name is swept by others");
    cr_expect_str_eq(told(), "+ben:2 ");
}

Test(cluster_members, an_audit_that_finds_another_version_twice_leads_to_a_snapshot, .timeout = 5, .init = begin,
     .fini = end)
{
    SNAPSHOT("6", {"ann", " you |1"});
    told();
    cluster_members_audit(members, 7);
    cluster_members_audit(members, 6);
    cluster_members_audit(members, 0);
    cr_expect_str_eq(ask(), "", "a push may be on its way");
    cluster_members_audit(members, 0);
    SNAPSHOT(NULL);
    cr_expect_str_eq(told(), "-ann ");
}

Test(cluster_members, without_readers_only_the_own_users_stay, .timeout = 5, .init = begin, .fini = end)
{
    join("ann", "1");
    cr_expect_str_eq(ask(), "join ann");
    answered(2);
    SNAPSHOT("6", {"ann", " me |1"}, {"ben", " you |2"});
    told();
    part("ann");
    cluster_members_end(members);
    cr_expect_not(cluster_members_is_idle(members));
    push("+ 7 1 3 cat 1 3");
    cr_expect_str_eq(ask(), "leave ann");
    cr_expect(cluster_members_is_busy(members));
    cr_expect_eq(answered(2), 'r');
    cr_expect(cluster_members_is_idle(members));
    cr_expect_str_eq(ask(), "");
    cluster_members_begin(members);
    SNAPSHOT("7", {"cat", " you |3"});
    cr_expect_str_eq(told(), "+cat:3 ");
}
