/* tests/server/home/test_home_greeting.c - who comes back to a channel with history, at a home alone: what it missed,
 * in order and whole, or the word that this cannot be; from memory and from the store. */
#include "server/home/home_greeting.h"

#include "core/channel.h"
#include "core/roster.h"
#include "tests/support/home_case.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct position last; /* of what was published */

static void publish(const char *channel, uint32_t first, uint32_t end)
{
    last = case_publish_numbers(2, channel, first, end);
}

/* What the greeting says: "at 5 whole: 3 4 5", "at 5 torn:", "nothing:". */
static const char *said(const struct join *join)
{
    static char text[500];
    const char *greeting = case_greeting(join), *offset = strstr(greeting, "\\\"offset\\\":");
    bool is_whole = strstr(greeting, "\\\"recovered\\\":true") != NULL;
    bool is_torn = strstr(greeting, "\\\"recovered\\\":false") != NULL;
    text[0] = '\0';
    if (offset != NULL) snprintf(text, sizeof text, "at %lu ", strtoul(offset + 11, NULL, 10));
    snprintf(text + strlen(text), sizeof text - strlen(text), "%s",
             is_whole  ? "whole:"
             : is_torn ? "torn:"
                       : "nothing:");
    cr_expect_eq(join->is_recovered, is_whole);
    for (const char *at = strchr(greeting, '\n'); at != NULL && at[1] != '\0'; at = strchr(at + 1, '\n')) {
        const char *data = strstr(at, "\"data\":\"");
        snprintf(text + strlen(text), sizeof text - strlen(text), " %lu", strtoul(data + 8, NULL, 10));
    }
    return text;
}

static void expect_said(const char *channel, const struct position *since, const char *text)
{
    struct join *join = case_ask_since(1, channel, NULL, since);
    cr_assert_eq(case_joined(1), join);
    cr_expect_str_eq(said(join), text, "since %lu: %s", since->offset, said(join));
    case_leave(join);
}

static struct position at(uint64_t offset)
{
    struct position position = last;
    position.offset = offset;
    return position;
}

Test(home_greeting, who_comes_back_gets_what_it_missed, .timeout = 10)
{
    case_begin(CASE_FLAGS("", "--history", "room size=5"));
    expect_said("room", &(struct position){0}, "at 0 torn:");
    publish("room", 1, 8);
    struct join *join = case_join(2, "room", FORM_EVENT, NULL);
    cr_expect_str_eq(said(join), "nothing:", "it did not ask");
    expect_said("room", &(struct position){0}, "at 8 torn:");
    expect_said("room", &(struct position){.offset = 8}, "at 8 torn:");
    struct position now = at(8), before = at(5), oldest = at(3), too_old = at(2), future = at(9), other = at(8);
    expect_said("room", &now, "at 8 whole:");
    expect_said("room", &before, "at 8 whole: 6 7 8");
    expect_said("room", &oldest, "at 8 whole: 4 5 6 7 8");
    expect_said("room", &too_old, "at 8 torn:");
    expect_said("room", &future, "at 8 torn:");
    other.epoch[0] = other.epoch[0] == 'a' ? 'b' : 'a';
    expect_said("room", &other, "at 8 torn:");
    cr_expect_eq(case_counter(COUNTER_resumes), 3);
    cr_expect_eq(case_counter(COUNTER_resumes_refused), 3);
    case_leave(join);
    case_end();
}

Test(home_greeting, a_channel_without_history_says_nothing_of_it, .timeout = 10)
{
    case_begin(CASE_FLAGS("", "--history", "room"));
    expect_said("other", &(struct position){0}, "nothing:");
    expect_said("other", &(struct position){.offset = 3, .epoch = "k3x9ab2m"}, "nothing:");
    case_end();
}

/* A channel of which nothing was ever kept is always in the same epoch: who comes back has missed nothing. */
Test(home_greeting, where_nothing_was_said_nothing_was_missed, .timeout = 10)
{
    case_begin(CASE_FLAGS("", "--history", "room"));
    struct join *join = case_ask_since(1, "room", NULL, &(struct position){0});
    case_joined(1);
    const char *epoch = strstr(case_greeting(join), "epoch") + strlen("epoch\\\":\\\"");
    struct position position = {0};
    memcpy(position.epoch, epoch, EPOCH_BYTES);
    case_leave(join);
    cr_expect_eq(case_counter(COUNTER_history_logs), 0, "nobody remembers it");
    expect_said("room", &position, "at 0 whole:");
    case_end();
}

Test(home_greeting, more_than_may_be_replayed_is_not, .timeout = 10)
{
    static char data[1001];
    case_begin(CASE_FLAGS("", "--history", "room", "--replay-bytes-max", "3KiB"));
    publish("room", 1, 1);
    memset(data, '7', sizeof data - 1);
    for (uint32_t i = 0; i < 3; i++) {
        case_publish(2, case_message("room", ORIGIN_BACKEND, data));
    }
    struct position two = at(2), one = at(1);
    struct join *join = case_ask_since(1, "room", NULL, &two);
    case_joined(1);
    cr_expect(join->is_recovered);
    cr_expect_eq(strlen(case_greeting(join)) > 2000, true);
    case_leave(join);
    expect_said("room", &one, "at 4 torn:");
    case_end();
}

/* Each of a turn's members gets its own. */
Test(home_greeting, members_of_one_turn_who_missed_different_things_are_greeted_apart, .timeout = 10)
{
    case_begin(CASE_FLAGS("", "--history", "presence-a"));
    publish("presence-a", 1, 3);
    struct position one = at(1), two = at(2);
    struct join *joins[4] = {
        case_ask_since(1, "presence-a", "ann", &one), case_ask_since(1, "presence-a", "ben", &two),
        case_ask_since(1, "presence-a", "cat", &two), case_ask(1, "presence-a", FORM_EVENT, "dot")};
    static const char *const texts[] = {"at 3 whole: 2 3", "at 3 whole: 3", "at 3 whole: 3", "nothing:"};
    case_settle();
    for (uint32_t i = 0; i < 4; i++) {
        cr_expect_neq(strcmp(case_heard(1), "-"), 0, "they have joined");
    }
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(case_joined(1), joins[i]);
        cr_expect_str_eq(said(joins[i]), texts[i], "%u: %s", i, said(joins[i]));
        cr_expect_not_null(strstr(case_greeting(joins[i]), "\\\"count\\\":4"));
    }
    cr_expect_eq(joins[1]->greeting, joins[2]->greeting, "they share theirs");
    for (uint32_t i = 0; i < 4; i++) {
        case_leave(joins[i]);
    }
    case_settle();
    while (strcmp(case_heard(1), "-") != 0) {
    }
    case_end();
}

/* ---- from the store ---- */

#define DURABLE "--history", "* durable=yes", "--data-dir", "/nowhere"

/* What is at the store of the channel: messages from `first` to `end`. */
static void answer(struct store_job *job, const char *channel, uint64_t first, uint64_t end)
{
    job->messages_count = (uint32_t)(end + 1 - first);
    job->messages = calloc(job->messages_count, sizeof job->messages[0]);
    for (uint64_t offset = first; offset <= end; offset++) {
        char data[8];
        snprintf(data, sizeof data, "%lu", offset);
        struct message *message = case_message(channel, ORIGIN_BACKEND, data);
        message->offset = offset;
        message->time_ms = 1700000000000;
        job->messages[offset - first] = message;
    }
    memcpy(job->epoch, "k3x9ab2m", EPOCH_BYTES);
    job->first = 1;
    job->last = end;
    job->last_ms = 1700000000000;
    case_done(job, RC_OK);
}

Test(home_greeting, who_comes_before_the_log_is_read_waits_for_it, .timeout = 10)
{
    struct position since = {.offset = 18, .epoch = "k3x9ab2m"};
    case_begin(CASE_FLAGS("", DURABLE));
    case_stored("room");
    struct join *one = case_ask_since(1, "room", NULL, &since);
    case_publish(2, case_message("room", ORIGIN_BACKEND, "21"));
    struct join *two = case_ask_since(2, "room", NULL, &(struct position){0});
    expect_silence();
    struct store_job *window = case_job();
    cr_assert_eq(window->kind, STORE_READ);
    cr_expect_null(case_job(), "it is asked once");
    answer(window, "room", 11, 20);
    cr_expect_eq(case_joined(1), one);
    cr_expect_str_eq(said(one), "at 20 whole: 19 20");
    cr_expect_eq(case_joined(2), two);
    cr_expect_str_eq(said(two), "at 20 torn:", "what came after it is not committed yet");
    struct store_job *append = case_job();
    cr_assert_eq(append->kind, STORE_APPEND);
    cr_expect_eq(append->message->offset, 21);
    cr_expect_str_eq(append->epoch, "k3x9ab2m");
    expect_silence();
    case_done(append, RC_OK);
    for (uint32_t to = 1; to <= 2; to++) {
        cr_expect_not_null(strstr(case_heard(to), "\"data\":\"21\",\"offset\":21,"));
    }
    case_leave(one);
    case_leave(two);
    case_end();
}

Test(home_greeting, what_the_window_lacks_comes_from_the_store, .timeout = 10)
{
    struct position since = {.offset = 8, .epoch = "k3x9ab2m"};
    for (uint32_t fails = 0; fails < 3; fails++) {
        case_begin(CASE_FLAGS("", DURABLE));
        case_stored("room");
        struct join *first = case_ask(2, "room", FORM_EVENT, NULL);
        answer(case_job(), "room", 11, 12);
        cr_assert_eq(case_joined(2), first);
        case_store_is_full = fails == 2;
        struct join *join = case_ask_since(1, "room", NULL, &since);
        case_store_is_full = false;
        struct store_job *read = case_job();
        cr_expect_eq(read != NULL, fails < 2);
        if (read != NULL) {
            cr_expect_eq(read->since, 8);
            cr_expect(read->is_all_or_nothing);
            expect_silence();
        }
        if (fails == 0) answer(read, "room", 9, 12);
        if (fails == 1) case_done(read, RC_ESTORE);
        cr_assert_eq(case_joined(1), join);
        cr_expect_str_eq(said(join), fails == 0 ? "at 12 whole: 9 10 11 12" : "at 12 torn:", "%s", said(join));
        case_leave(join);
        case_leave(first);
        case_end();
    }
}

/* Then it is a channel without history, to whoever comes; the next one asks again. */
Test(home_greeting, a_log_that_cannot_be_read_keeps_nobody_out, .timeout = 10)
{
    struct position since = {.offset = 8, .epoch = "k3x9ab2m"};
    case_begin(CASE_FLAGS("", DURABLE));
    case_stored("room");
    struct join *join = case_ask_since(1, "room", NULL, &since);
    struct query *query =
        case_query_publish(2, case_message("room", ORIGIN_BACKEND, "x"), QUERY_OF_BACKEND, "order-1");
    case_send(query);
    case_done(case_job(), RC_ESTORE);
    cr_assert_eq(case_joined(1), join);
    cr_expect_eq(join->rc, RC_OK);
    cr_expect_str_eq(said(join), "torn:");
    case_answered(query, RC_ESTORE);
    struct join *next = case_ask_since(2, "room", NULL, &since);
    answer(case_job(), "room", 7, 9);
    cr_assert_eq(case_joined(2), next);
    cr_expect_str_eq(said(next), "at 9 whole: 9");
    case_leave(join);
    case_leave(next);
    case_end();
}
