/* tests/server/home/test_home_query.c - what a home alone answers: numbers, members, lists, pages; and whom it has
 * closed. */
#include "core/channel.h"
#include "core/roster.h"
#include "core/span.h"
#include "server/shard/sweep.h"
#include "tests/support/home_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *ask(enum query_kind kind, const char *channel, unsigned info, struct query_facts *facts_r)
{
    struct query *query = case_query(1, kind, channel);
    query->info = info;
    case_send(query);
    if (facts_r != NULL) *facts_r = query->facts;
    return case_answered(query, RC_OK);
}

Test(home_query, a_channels_numbers_are_those_over_all_shards, .timeout = 10)
{
    struct query_facts facts;
    struct join *joins[4];
    case_begin(CASE_FLAGS(""));
    for (uint32_t i = 0; i < 3; i++) {
        joins[i] = case_join(i, "presence-a", FORM_EVENT, i == 0 ? "ann" : "ben");
    }
    joins[3] = case_join(1, "#server-to-user-ann", FORM_WATCH, NULL);
    while (strcmp(case_heard(1), "-") != 0) {
    }
    cr_expect_str_eq(ask(QUERY_CHANNEL, "presence-a", QUERY_INFO_CACHE, &facts), "");
    cr_expect_eq(facts.subscription_count, 3);
    cr_expect_eq(facts.user_count, 2);
    ask(QUERY_CHANNEL, "#server-to-user-ann", 0, &facts);
    cr_expect_eq(facts.subscription_count, 0, "who watches is no subscriber");
    ask(QUERY_CHANNEL, "unknown", QUERY_INFO_CACHE, &facts);
    cr_expect_eq(facts.subscription_count, 0);
    cr_expect_eq(case_counter(COUNTER_channels), 2, "asking makes none");
    for (uint32_t i = 0; i < 4; i++) {
        case_leave(joins[i]);
    }
    case_settle();
    case_end();
}

Test(home_query, members_are_listed_once_each, .timeout = 10)
{
    static const char *const ids[] = {"ann", "b\\\"n", "ann"};
    struct join *joins[3];
    case_begin(CASE_FLAGS(""));
    cr_expect_str_eq(ask(QUERY_USERS, "presence-a", 0, NULL), "");
    for (uint32_t i = 0; i < 3; i++) {
        joins[i] = case_join(2, "presence-a", FORM_EVENT, i == 1 ? "b\"n" : ids[i]);
    }
    const char *users = ask(QUERY_USERS, "presence-a", 0, NULL);
    cr_expect_eq(strlen(users), strlen("{\"id\":\"ann\"},{\"id\":\"b\\\"n\"}"), "%s", users);
    cr_expect_not_null(strstr(users, "{\"id\":\"ann\"}"));
    cr_expect_not_null(strstr(users, "{\"id\":\"b\\\"n\"}"));
    struct join *room = case_join(2, "room", FORM_EVENT, NULL);
    cr_expect_str_eq(ask(QUERY_USERS, "room", 0, NULL), "");
    for (uint32_t i = 0; i < 3; i++) {
        case_leave(joins[i]);
    }
    case_leave(room);
    case_settle();
    case_end();
}

/* In any order; of the asking app, with subscribers, and no user's. */
Test(home_query, channels_are_listed_by_what_their_names_begin_with, .timeout = 10)
{
    static const char *const names[] = {"presence-a", "presence-b", "room", "#server-to-user-ann", "presence-kept"};
    struct join *joins[5];
    case_begin(CASE_FLAGS("", "--history", "*kept"));
    for (uint32_t i = 0; i < 5; i++) {
        joins[i] = case_join(1, names[i], FORM_EVENT, i == 0 ? "ann" : NULL);
    }
    case_publish(0, case_message("presence-kept", ORIGIN_BACKEND, "x"));
    case_heard(1);
    case_leave(joins[4]);
    cr_expect_eq(case_counter(COUNTER_channels), 5, "for its history");
    const char *all = ask(QUERY_CHANNELS, "", QUERY_INFO_SUBSCRIPTION_COUNT, NULL);
    cr_expect_eq(strlen(all),
                 strlen("\"presence-a\":{\"subscription_count\":1},\"presence-b\":{\"subscription_count\":1}"
                        ",\"room\":{\"subscription_count\":1}"),
                 "%s", all);
    const char *some = ask(QUERY_CHANNELS, "presence-", QUERY_INFO_USER_COUNT, NULL);
    cr_expect_not_null(strstr(some, "\"presence-a\":{\"user_count\":1}"), "%s", some);
    cr_expect_not_null(strstr(some, "\"presence-b\":{\"user_count\":0}"), "%s", some);
    cr_expect_null(strstr(some, "room"));
    cr_expect_null(strstr(some, "kept"));
    cr_expect_str_eq(ask(QUERY_CHANNELS, "presence-a1", 0, NULL), "");
    cr_expect_str_eq(ask(QUERY_CHANNELS, "room", 0, NULL), "\"room\":{}");
    struct query *other = case_query(2, QUERY_CHANNELS, "");
    other->name.app = 1;
    case_send(other);
    cr_expect_str_eq(case_answered(other, RC_OK), "", "of another app");
    for (uint32_t i = 0; i < 4; i++) {
        case_leave(joins[i]);
    }
    case_settle();
    case_end();
}

#define MANY 3000

static struct join **enter_many(void)
{
    struct join **joins = malloc(MANY * sizeof joins[0]);
    for (uint32_t i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "c%u", i);
        joins[i] = case_join(1, name, FORM_EVENT, NULL);
    }
    return joins;
}

static void leave_many(struct join **joins)
{
    for (uint32_t i = 0; i < MANY; i++)
        case_leave(joins[i]);
    case_settle();
    free(joins);
}

static uint32_t times(const struct span *text, const char *word)
{
    uint32_t count = 0;
    size_t bytes = strlen(word);
    for (const uint8_t *at = text->bytes; (at = memmem(at, text->bytes + text->count - at, word, bytes)) != NULL;
         at++)
        count++;
    return count;
}

/* Two lists at a time, and messages that do not wait for them. */
Test(home_query, a_long_list_is_made_in_pieces, .timeout = 60)
{
    case_begin(CASE_FLAGS(""));
    struct join **joins = enter_many();
    struct query *queries[] = {case_query(2, QUERY_CHANNELS, ""), case_query(2, QUERY_CHANNELS, "c1")};
    case_send(queries[0]);
    case_send(queries[1]);
    uint32_t pieces = 0;
    for (; sweeps_wait(case_home); pieces++) {
        case_publish(0, case_message("c7", ORIGIN_BACKEND, "x"));
        cr_expect_str_neq(case_heard(1), "-");
        sweeps_go_on(case_home);
    }
    cr_expect(pieces >= 2 * (MANY / SWEEP_LOOKS) && pieces <= 2 * 3 * (MANY / SWEEP_LOOKS + 1), "%u", pieces);
    struct query *first = case_next(2).query, *second = case_next(2).query;
    cr_assert((first == queries[0] && second == queries[1]) || (first == queries[1] && second == queries[0]));
    cr_expect_eq(times(queries[0]->text, "\":{}"), MANY);
    cr_expect_eq(times(queries[1]->text, "\":{}"), 1111);
    query_free(&case_home->counters, first);
    query_free(&case_home->counters, second);
    leave_many(joins);
    case_end();
}

Test(home_query, a_list_that_is_not_whole_at_the_end_goes_with_the_home, .timeout = 60)
{
    case_begin(CASE_FLAGS(""));
    struct join **joins = enter_many();
    case_send(case_query(2, QUERY_CHANNELS, ""));
    cr_expect(sweeps_wait(case_home));
    leave_many(joins);
    case_end();
}

/* ---- a user's connections are closed ---- */

Test(home_query, a_users_shards_are_told_to_close_it_its_own_last, .timeout = 10)
{
    struct join *joins[4];
    case_begin(CASE_FLAGS(""));
    for (uint32_t i = 0; i < 2; i++) {
        joins[i] = case_join(i, "#server-to-user-ann", FORM_EVENT, NULL);
    }
    joins[2] = case_join(1, "#server-to-user-ann", FORM_EVENT, NULL);
    joins[3] = case_join(2, "#server-to-user-ann", FORM_WATCH, NULL);
    struct query *query = case_query(2, QUERY_TERMINATE, "#server-to-user-ann");
    query->message = case_message("#server-to-user-ann", ORIGIN_SERVER, "x");
    struct message *message = query->message;
    case_send(query);
    case_answered(query, RC_OK);
    cr_expect_eq(message->references, 2, "one for each shard that it has connections on");
    for (uint32_t to = 0; to < 2; to++) {
        struct letter letter = case_next(to);
        cr_expect_eq(letter.kind, LETTER_TERMINATE);
        cr_expect_eq(letter.message, message);
        message_drop(&case_home->counters, letter.message);
    }
    expect_silence();
    for (uint32_t i = 0; i < 4; i++) {
        case_leave(joins[i]);
    }
    while (strcmp(case_heard_in(2, FORM_WATCH), "-") != 0) {
    }
    query = case_query(2, QUERY_TERMINATE, "#server-to-user-nobody");
    query->message = case_message("#server-to-user-nobody", ORIGIN_SERVER, "x");
    case_send(query);
    case_answered(query, RC_OK);
    case_end();
}

/* ---- pages of history ---- */

static struct query_page asked_page;

/* The offsets of the page, then what is said of it: "3 4 5 more". */
static const char *page(const char *channel)
{
    static char text[500];
    struct query *query = case_query(1, QUERY_HISTORY, channel);
    query->page = asked_page;
    case_send(query);
    const char *answer = case_answered(query, RC_OK);
    text[0] = '\0';
    const char *items = strstr(answer, "\"items\":[");
    for (const char *at = items; at != NULL && (at = strstr(at, "{\"offset\":")) != NULL; at++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%lu ", strtoul(at + 10, NULL, 10));
    }
    const char *more = strstr(answer, "\"more\":true") != NULL ? "more " : "";
    const char *complete = strstr(answer, "\"complete\":true") != NULL    ? "complete "
                           : strstr(answer, "\"complete\":false") != NULL ? "torn "
                                                                          : "";
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", more, complete);
    return text;
}

Test(home_query, a_page_is_what_was_asked_for_of_what_is_kept, .timeout = 10)
{
    static const struct {
        struct query_page page;
        const char *text;
    } rows[] = {
        {{.before = UINT64_MAX, .limit = 100}, "3 4 5 6 7 8 9 10 torn "},
        {{.since = 2, .before = UINT64_MAX, .limit = 100}, "3 4 5 6 7 8 9 10 complete "},
        {{.since = 2, .before = UINT64_MAX, .limit = 3}, "3 4 5 more complete "},
        {{.since = 8, .before = 10, .limit = 100}, "9 more complete "},
        {{.since = 10, .before = UINT64_MAX, .limit = 100}, "complete "},
        {{.since = 11, .before = UINT64_MAX, .limit = 100}, "torn "},
        {{.since = 9, .before = 5, .limit = 100}, "more complete "},
        {{.before = UINT64_MAX, .limit = 3, .is_from_end = true}, "8 9 10 more "},
        {{.before = 5, .limit = 3, .is_from_end = true}, "3 4 "},
        {{.since = 3, .before = 6, .limit = 1, .is_from_end = true}, "5 more "},
        {{.since = 9, .before = UINT64_MAX, .limit = 100, .epoch = "elsewhen"}, "3 4 5 6 7 8 9 10 torn "},
    };
    case_begin(CASE_FLAGS("", "--history", "room size=8"));
    struct position last = case_publish_numbers(2, "room", 1, 10);
    cr_expect_eq(last.offset, 10);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        asked_page = rows[i].page;
        cr_expect_str_eq(page("room"), rows[i].text, "row %zu: %s", i, page("room"));
    }
    asked_page = (struct query_page){.since = 9, .before = UINT64_MAX, .limit = 100};
    memcpy(asked_page.epoch, last.epoch, sizeof last.epoch);
    cr_expect_str_eq(page("room"), "10 complete ");
    case_end();
}

Test(home_query, a_page_has_at_least_one_message_and_then_what_fits, .timeout = 10)
{
    static char data[1001];
    static const struct {
        const char *bytes_max, *oldest, *newest;
    } rows[] = {{"3KiB", "1 2 more complete ", "4 5 more "}, {"1KiB", "1 more complete ", "5 more "}};
    memset(data, 'x', sizeof data - 1);
    for (size_t row = 0; row < 2; row++) {
        case_begin(CASE_FLAGS("", "--history", "room", "--replay-bytes-max", rows[row].bytes_max));
        for (uint32_t i = 1; i <= 5; i++) {
            case_publish(1, case_message("room", ORIGIN_BACKEND, data));
        }
        asked_page = (struct query_page){.before = UINT64_MAX, .limit = 100};
        cr_expect_str_eq(page("room"), rows[row].oldest);
        asked_page.is_from_end = true;
        cr_expect_str_eq(page("room"), rows[row].newest);
        case_end();
    }
}

Test(home_query, an_item_is_as_it_was_published, .timeout = 10)
{
    char expected[300];
    case_begin(CASE_FLAGS("", "--history", "room"));
    struct query *query =
        case_query_publish(2, case_message("room", ORIGIN_BACKEND, "a\"\n"), QUERY_OF_BACKEND, NULL);
    case_send(query);
    struct position position = query->facts.position;
    case_answered(query, RC_OK);
    query = case_query(1, QUERY_HISTORY, "room");
    case_send(query);
    snprintf(expected, sizeof expected,
             "\"epoch\":\"%s\",\"offset\":1,\"more\":false,\"complete\":true,\"items\":[{\"offset\":1,"
             "\"name\":\"ev\",\"data\":\"a\\\"\\n\",\"time_ms\":1700000000000}]",
             position.epoch);
    cr_expect_str_eq(case_answered(query, RC_OK), expected);
    case_end();
}

Test(home_query, a_channel_without_history_has_no_page, .timeout = 10)
{
    case_begin(CASE_FLAGS("", "--history", "room"));
    struct query *query = case_query(1, QUERY_HISTORY, "other");
    case_send(query);
    case_answered(query, RC_ENOENT);
    asked_page = (struct query_page){.before = UINT64_MAX, .limit = 100};
    cr_expect_str_eq(page("room"), "complete ", "nothing was ever said");
    case_end();
}
