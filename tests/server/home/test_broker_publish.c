/* tests/server/home/test_broker_publish.c - what is published on a node among others: to the cluster, which answers. */
#include "server/home/broker_publish.h"

#include "core/receipts.h"
#include "tests/support/home_case.h"
#include "tests/support/home_cluster.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define EPOCH "k3x9ab2m"
#define HOOKS "webhook=http://x/ webhook_events=client_event,room_message"

static struct query *ask_to_publish(enum message_origin origin, const char *channel, const char *key)
{
    struct query *query = case_query_publish(1, case_message(channel, origin, "x"), QUERY_OF_BACKEND, key);
    case_send(query);
    return query;
}

Test(broker_publish, it_goes_to_the_cluster_and_its_publisher_is_told_where_it_stands, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("cache_ms=7s", "--history", "room size=5"));
    struct query *query = ask_to_publish(ORIGIN_BACKEND, "room", "key-1");
    struct cluster_job *job = case_asked(CLUSTER_PUBLISH, "room");
    cr_expect(job->is_for_history);
    cr_assert_not_null(job->rule);
    cr_expect_eq(job->rule->size, 5);
    cr_expect_str_eq(job->key, "bkey-1");
    cr_expect_eq(job->cache_ms, 0);
    cr_expect_eq(case_counter(COUNTER_store_waiting), 1);
    expect_silence();
    case_reply_at(job, 43, EPOCH);
    cr_expect_eq(query->facts.position.offset, 43);
    cr_expect_str_eq(query->facts.position.epoch, EPOCH);
    case_answered(query, RC_OK);
    cr_expect_eq(case_counter(COUNTER_messages_published), 1);
    cr_expect_eq(case_counter(COUNTER_store_waiting), 0);
    cr_expect_eq(case_counter(COUNTER_repeat_keys), 0, "keys are the cluster's");
    struct message *message = case_message("cache-a", ORIGIN_BACKEND, "x");
    message->is_kept = true;
    case_publish(2, message);
    job = case_asked(CLUSTER_PUBLISH, "cache-a");
    cr_expect_eq(job->cache_ms, 7000);
    cr_expect_not(job->is_for_history);
    cr_expect_str_eq(job->key, "");
    case_reply(job, RC_OK);
    cr_expect_eq(case_home->hub.count, 0, "nobody reads it here");
    case_end_in_cluster();
}

Test(broker_publish, a_repeat_is_answered_as_the_first_and_told_to_nobody, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS(HOOKS, "--history", "room"));
    struct query *query = ask_to_publish(ORIGIN_ROOM, "room", "key-1");
    struct cluster_job *job = case_asked(CLUSTER_PUBLISH, "room");
    job->is_repeat = true;
    case_reply_at(job, 43, EPOCH);
    cr_expect_eq(query->facts.position.offset, 43);
    case_answered(query, RC_OK);
    cr_expect_eq(case_counter(COUNTER_repeats), 1);
    cr_expect_eq(case_counter(COUNTER_messages_published), 0);
    cr_expect_str_eq(case_hooks(), "");
    case_end_in_cluster();
}

/* Each node reads it, but this one alone has published it. */
Test(broker_publish, backends_hear_of_it_once_when_it_has_its_place, .timeout = 10)
{
    uint32_t serial;
    case_begin_in_cluster(CASE_FLAGS(HOOKS, "--history", "room"));
    struct join *in = case_enter(1, "room", FORM_EVENT, 6, EPOCH, &serial),
                *other = case_enter(1, "private-a", FORM_EVENT, 0, "", &serial);
    case_hooks();
    case_publish(2, case_message("room", ORIGIN_ROOM, "x"));
    case_publish(2, case_message("private-a", ORIGIN_CLIENT, "y"));
    cr_expect_str_eq(case_hooks(), "");
    case_reply_at(case_asked(CLUSTER_PUBLISH, "room"), 7, EPOCH);
    cr_expect_str_eq(case_hooks(), "room_message:room=\"x\"@7 ");
    case_reply(case_asked(CLUSTER_PUBLISH, "private-a"), RC_OK);
    cr_expect_str_eq(case_hooks(), "client_event:private-a=\"y\" ");
    case_tell(serial, case_from_cluster("private-a", ORIGIN_CLIENT, "y", 0, ""), "");
    cr_expect_str_eq(case_heard(1), "{\"event\":\"ev\",\"channel\":\"private-a\",\"data\":\"y\"}");
    cr_expect_str_eq(case_hooks(), "");
    cr_expect_eq(case_counter(COUNTER_messages_published), 2);
    case_leave(in);
    case_leave(other);
    case_end_in_cluster();
}

Test(broker_publish, who_waits_is_told_that_it_cannot_be_done, .timeout = 10)
{
    static const enum rc codes[][2] = {
        {RC_ECLUSTER, RC_ECLUSTER}, {RC_EFULL, RC_EFULL}, {RC_ENOMEM, RC_ENOMEM}, {RC_EINVAL, RC_ECLUSTER}};
    case_begin_in_cluster(CASE_FLAGS(HOOKS, "--history", "room"));
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct query *query = ask_to_publish(ORIGIN_BACKEND, "room", "key-1");
        case_reply(case_asked(CLUSTER_PUBLISH, "room"), codes[i][0]);
        case_answered(query, codes[i][1]);
    }
    case_cluster_is_full = true;
    case_answered(ask_to_publish(ORIGIN_BACKEND, "room", "key-1"), RC_EFULL);
    case_cluster_is_full = false;
    cr_expect_eq(case_counter(COUNTER_store_waiting), 0);
    cr_expect_eq(case_counter(COUNTER_messages_published), 0);
    cr_expect_eq(case_counter(COUNTER_cluster_dropped), 0, "whoever was told knows it");
    case_end_in_cluster();
}

Test(broker_publish, what_nobody_waits_for_is_dropped_and_a_client_is_told, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS(HOOKS));
    case_publish(2, case_message("room", ORIGIN_ROOM, "x"));
    case_reply(case_asked(CLUSTER_PUBLISH, "room"), RC_ECLUSTER);
    expect_silence();
    struct message *message = case_message("private-a", ORIGIN_CLIENT, "x");
    message->publisher.shard = 2;
    case_publish(2, message);
    case_reply(case_asked(CLUSTER_PUBLISH, "private-a"), RC_ECLUSTER);
    struct letter letter = case_next(2);
    cr_assert_eq(letter.kind, LETTER_UNPUBLISHED);
    cr_assert_eq(letter.message, message);
    message_drop(&case_home->counters, message);
    cr_expect_eq(case_counter(COUNTER_cluster_dropped), 2);
    cr_expect_str_eq(case_hooks(), "");
    case_end_in_cluster();
}

Test(broker_publish, no_more_wait_than_may, .timeout = 10)
{
    static char data[70000];
    case_begin_in_cluster(CASE_FLAGS("", "--store-jobs-max", "3"));
    for (uint32_t i = 0; i < 3; i++) {
        case_publish(2, case_message("room", ORIGIN_BACKEND, "x"));
    }
    case_answered(ask_to_publish(ORIGIN_BACKEND, "room", NULL), RC_EFULL);
    case_reply(case_asked(CLUSTER_PUBLISH, "room"), RC_OK);
    struct query *query = ask_to_publish(ORIGIN_BACKEND, "room", NULL);
    expect_silence();
    for (uint32_t i = 0; i < 3; i++) {
        case_reply(case_asked(CLUSTER_PUBLISH, "room"), RC_OK);
    }
    case_answered(query, RC_OK);
    case_end_in_cluster();
    case_begin_in_cluster(CASE_FLAGS("", "--store-bytes-max", "64KiB"));
    memset(data, '7', sizeof data - 1);
    query = case_query_publish(1, case_message("room", ORIGIN_BACKEND, data), QUERY_OF_BACKEND, NULL);
    case_send(query);
    case_answered(query, RC_EFULL);
    case_end_in_cluster();
}

/* query_new_behind(): it goes with the others and is answered behind them. */
Test(broker_publish, a_publish_of_nothing_is_asked_for_too_and_counts_as_none, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct name name = name_of(0, text_of("room"));
    struct query *behind = query_new_behind(&case_home->counters, &name);
    behind->shard = 1;
    case_send(behind);
    struct cluster_job *job = case_asked(CLUSTER_PUBLISH, "room");
    cr_expect_not(job->is_for_history);
    for (enum form form = 0; form < FORMS_MAX; form++) {
        cr_expect_not(message_has(job->message, form));
    }
    case_reply(job, RC_OK);
    case_answered(behind, RC_OK);
    cr_expect_eq(case_counter(COUNTER_messages_published), 0);
    case_end_in_cluster();
}

/* A room's text is an event in its history, as without other nodes; a binary message is none. */
Test(broker_publish, a_rooms_message_is_kept_as_an_event, .timeout = 10)
{
    case_begin_in_cluster(CASE_FLAGS("", "--history", "room"));
    struct name name = name_of(0, text_of("room"));
    for (uint8_t opcode = 1; opcode <= 2; opcode++) {
        struct message *message = message_new_of(&case_home->counters, &name, FORM_RAW, 4);
        memcpy(message_frame(message, FORM_RAW), (uint8_t[4]){(uint8_t)(0x80 | opcode), 2, 'h', 'i'}, 4);
        message->origin = ORIGIN_ROOM;
        message->publisher = (struct publisher){.shard = 2, .slot = 7, .life = 9, .is_excluded = true};
        case_publish(2, message);
        struct cluster_job *job = case_asked(CLUSTER_PUBLISH, "room");
        cr_expect_eq(job->is_for_history, opcode == 1);
        cr_expect_eq(message_has(job->message, FORM_EVENT), opcode == 1);
        cr_expect(message_has(job->message, FORM_RAW));
        cr_expect(job->message->publisher.is_excluded && job->message->publisher.slot == 7);
        case_reply(job, RC_OK);
    }
    case_end_in_cluster();
}
