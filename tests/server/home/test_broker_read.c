/* tests/server/home/test_broker_read.c - who resumes, and pages, on a node among others: from the window, else from
 * what the cluster has kept. */
#include "server/home/broker_read.h"

#include "tests/support/home_case.h"
#include "tests/support/home_cluster.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH "k3x9ab2m"
#define OTHER "k3x9ab2n"

/* What a reader is told: "at 8 whole: 6 7 8". */
static const char *said(const struct join *join)
{
    static char text[400];
    const char *greeting = case_greeting(join), *offset = strstr(greeting, "offset\\\":");
    int used = snprintf(text, sizeof text, "at %lu %s:", offset != NULL ? strtoul(offset + 9, NULL, 10) : 0,
                        join->is_recovered ? "whole" : "torn");
    for (const char *at = strchr(greeting, '\n'); at != NULL && at[1] != '\0'; at = strchr(at + 1, '\n')) {
        const char *data = strstr(at, "\"data\":\"");
        used += snprintf(text + used, sizeof text - (size_t)used, " %lu", strtoul(data + 8, NULL, 10));
    }
    return text;
}

static void expect_said(struct join *join, const char *text)
{
    cr_assert_eq(case_joined(1), join);
    cr_expect_str_eq(said(join), text, "%s", said(join));
    case_leave(join);
}

static struct join *resume(uint64_t offset, const char *epoch)
{
    struct position since = {.offset = offset};
    snprintf(since.epoch, sizeof since.epoch, "%s", epoch);
    return case_ask_since(1, "room", NULL, &since);
}

/* What is kept from `first` to `end`, of which the answer has all behind `from`. */
static void reply_numbers(struct cluster_job *job, uint64_t first, uint64_t from, uint64_t end)
{
    struct message *messages[20];
    uint32_t count = 0;
    for (uint64_t offset = from; offset <= end; offset++) {
        char data[24];
        snprintf(data, sizeof data, "%llu", (unsigned long long)offset);
        messages[count++] = case_from_cluster("room", ORIGIN_BACKEND, data, offset, EPOCH);
    }
    job->first = first;
    case_give_messages(job, messages, count);
    case_reply_at(job, end, EPOCH);
}

static uint32_t serial;

/* A channel at 10, of which the window has what came since 7. */
static struct join *begin(void)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct join *reader = case_enter(2, "room", FORM_EVENT, 7, EPOCH, &serial);
    case_tell_numbers(serial, "room", 8, 10, EPOCH);
    for (uint32_t i = 0; i < 3; i++) {
        case_heard(2);
    }
    return reader;
}

static void end(struct join *reader)
{
    case_leave(reader);
    case_end_in_cluster();
}

/* ---- resuming ---- */

Test(broker_read, who_resumes_is_served_from_the_window_if_it_has_all, .timeout = 10)
{
    struct join *reader = begin();
    expect_said(resume(10, EPOCH), "at 10 whole:");
    expect_said(resume(8, EPOCH), "at 10 whole: 9 10");
    expect_said(resume(7, EPOCH), "at 10 whole: 8 9 10");
    expect_said(resume(11, EPOCH), "at 10 torn:");
    expect_said(resume(10, OTHER), "at 10 torn:");
    expect_nothing_asked();
    end(reader);
}

Test(broker_read, else_from_the_cluster, .timeout = 10)
{
    struct join *reader = begin(), *join = resume(4, EPOCH);
    struct cluster_job *read = case_asked(CLUSTER_READ, "room");
    cr_expect_eq(read->from.offset, 4);
    cr_expect_str_eq(read->from.epoch, EPOCH);
    cr_expect(read->is_all_or_nothing && read->before == UINT64_MAX);
    reply_numbers(read, 3, 5, 10);
    expect_said(join, "at 10 whole: 5 6 7 8 9 10");
    cr_expect_eq(case_counter(COUNTER_resumes), 1);
    end(reader);
}

/* Redis has it already, the home has not heard of it: it comes once, and not before its time. */
Test(broker_read, what_the_home_has_not_been_told_yet_is_left_out, .timeout = 10)
{
    struct join *reader = begin(), *join = resume(4, EPOCH);
    reply_numbers(case_asked(CLUSTER_READ, "room"), 1, 5, 12);
    expect_said(join, "at 10 whole: 5 6 7 8 9 10");
    end(reader);
}

Test(broker_read, what_came_while_it_was_read_follows_from_the_window, .timeout = 10)
{
    struct join *reader = begin(), *join = resume(4, EPOCH);
    struct cluster_job *read = case_asked(CLUSTER_READ, "room");
    case_tell_numbers(serial, "room", 11, 12, EPOCH);
    case_heard(2);
    case_heard(2);
    reply_numbers(read, 1, 5, 11);
    expect_said(join, "at 12 whole: 5 6 7 8 9 10 11 12");
    end(reader);
}

Test(broker_read, what_is_not_there_any_more_is_told, .timeout = 10)
{
    struct join *reader = begin(), *join = resume(4, EPOCH);
    reply_numbers(case_asked(CLUSTER_READ, "room"), 6, 6, 10); /* 5 has gone */
    expect_said(join, "at 10 torn:");
    join = resume(4, EPOCH);
    case_reply(case_asked(CLUSTER_READ, "room"), RC_ECLUSTER);
    expect_said(join, "at 10 torn:");
    join = resume(4, EPOCH);
    case_reply_at(case_asked(CLUSTER_READ, "room"), 3, OTHER);
    expect_said(join, "at 10 torn:");
    join = resume(4, EPOCH);
    struct cluster_job *read = case_asked(CLUSTER_READ, "room");
    case_tell_lost(serial, "room", 2, OTHER);
    case_heard(2);
    reply_numbers(read, 1, 5, 10);
    expect_said(join, "at 2 torn:");
    case_cluster_is_full = true;
    case_tell_numbers(serial, "room", 3, 3, OTHER);
    case_heard(2);
    expect_said(resume(1, OTHER), "at 3 torn:");
    case_cluster_is_full = false;
    cr_expect_eq(case_counter(COUNTER_resumes_refused), 5);
    end(reader);
}

/* The channel is read as long as somebody is about to come in. */
Test(broker_read, the_last_reader_may_leave_meanwhile, .timeout = 10)
{
    struct join *reader = begin(), *join = resume(4, EPOCH);
    struct cluster_job *read = case_asked(CLUSTER_READ, "room");
    case_leave(reader);
    expect_nothing_asked();
    case_tell_numbers(serial, "room", 11, 11, EPOCH);
    reply_numbers(read, 1, 5, 11);
    expect_said(join, "at 11 whole: 5 6 7 8 9 10 11");
    case_reply(case_asked(CLUSTER_LEAVE, "room"), RC_OK);
    case_settle();
    cr_expect_eq(case_home->hub.count, 0);
    case_end_in_cluster();
}

/* ---- pages ---- */

static struct query *ask_page(uint64_t since, uint64_t before, uint32_t limit, bool is_from_end, const char *epoch)
{
    struct query *query = case_query(1, QUERY_HISTORY, "room");
    query->page = (struct query_page){.since = since, .before = before, .limit = limit, .is_from_end = is_from_end};
    snprintf(query->page.epoch, sizeof query->page.epoch, "%s", epoch);
    case_send(query);
    return query;
}

/* "at 10 complete more: 8 9 10" */
static void expect_page(struct query *query, const char *text)
{
    char told[200];
    const char *page = case_answered(query, RC_OK), *offset = strstr(page, "\"offset\":");
    int used = snprintf(told, sizeof told, "at %lu%s%s:", strtoul(offset + 9, NULL, 10),
                        strstr(page, "\"complete\":true") != NULL ? " complete" : "",
                        strstr(page, "\"more\":true") != NULL ? " more" : "");
    for (const char *at = page; (at = strstr(at, "{\"offset\":")) != NULL; at += 10) {
        used += snprintf(told + used, sizeof told - (size_t)used, " %lu", strtoul(at + 10, NULL, 10));
    }
    cr_expect_str_eq(told, text, "%s", page);
}

Test(broker_read, a_page_is_made_of_the_window_if_all_of_it_is_there, .timeout = 10)
{
    struct join *reader = begin();
    expect_page(ask_page(8, UINT64_MAX, 10, false, EPOCH), "at 10 complete: 9 10");
    expect_page(ask_page(7, UINT64_MAX, 2, false, EPOCH), "at 10 complete more: 8 9");
    expect_page(ask_page(0, UINT64_MAX, 2, true, ""), "at 10 more: 9 10");
    expect_nothing_asked();
    end(reader);
}

Test(broker_read, else_of_what_the_cluster_has, .timeout = 10)
{
    struct join *reader = begin();
    struct query *query = ask_page(4, UINT64_MAX, 3, false, EPOCH);
    struct cluster_job *read = case_asked(CLUSTER_READ, "room");
    cr_expect(read->from.offset == 4 && read->count_max == 3 && !read->is_from_end && !read->is_all_or_nothing);
    cr_expect_str_eq(read->from.epoch, EPOCH);
    struct message *messages[3];
    for (uint32_t i = 0; i < 3; i++) {
        messages[i] = case_from_cluster("room", ORIGIN_BACKEND, "x", 5 + i, EPOCH);
    }
    case_give_messages(read, messages, 3);
    read->first = 2;
    case_reply_at(read, 10, EPOCH);
    expect_page(query, "at 10 complete more: 5 6 7");
    query = ask_page(0, 3, 5, true, "");
    read = case_asked(CLUSTER_READ, "room");
    cr_expect(read->before == 3 && read->is_from_end);
    reply_numbers(read, 2, 2, 2);
    expect_page(query, "at 2: 2");
    end(reader);
}

Test(broker_read, nobody_need_read_the_channel_here, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct query *query = ask_page(4, UINT64_MAX, 3, false, OTHER);
    struct cluster_job *read = case_asked(CLUSTER_READ, "room");
    reply_numbers(read, 1, 1, 3);
    expect_page(query, "at 3: 1 2 3");
    query = ask_page(4, UINT64_MAX, 3, false, EPOCH);
    case_reply(case_asked(CLUSTER_READ, "room"), RC_OK); /* nothing was ever kept, or it is forgotten */
    expect_page(query, "at 0:");
    cr_expect_eq(case_home->hub.count, 0);
    case_end_in_cluster();
}

Test(broker_read, a_page_that_cannot_be_read_is_refused, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct query *query = ask_page(4, UINT64_MAX, 3, false, EPOCH);
    case_reply(case_asked(CLUSTER_READ, "room"), RC_ECLUSTER);
    case_answered(query, RC_ECLUSTER);
    case_cluster_is_full = true;
    case_answered(ask_page(4, UINT64_MAX, 3, false, EPOCH), RC_ECLUSTER);
    query = case_query(1, QUERY_HISTORY, "other");
    case_send(query);
    case_answered(query, RC_ENOENT);
    case_end_in_cluster();
}
