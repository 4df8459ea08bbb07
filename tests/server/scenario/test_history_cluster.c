/* tests/server/scenario/test_history_cluster.c - the same as test_history_scenario.c on a node among others: a whole
 * server on a fake kernel and a fake cluster, where others publish too, where everything is answered late and in any
 * order, and where what is kept is forgotten now and then.
 *
 * Method: the crowd of tests/support/history_crowd.h, over several lives of this node in one cluster. */
#include "tests/support/api_client.h"
#include "tests/support/fake_cluster.h"
#include "tests/support/history_crowd.h"
#include "tests/support/leaks.h"
#include "tests/support/sized.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIVES 3

static void busy_life(uint64_t seed, uint32_t life)
{
    for (uint32_t time = 0; time < 4; time++) {
        /* Quiet, with failures, full, and without any cluster. */
        fake_cluster_settings = (struct fake_cluster_settings){0};
        if (time == 1) fake_cluster_settings.fail_one_in = 6;
        if (time == 2 && seed % 2) fake_cluster_settings.jobs_max = 3;
        if (time == 3 && seed % 3) fake_cluster_settings.is_failing = true;
        if (time == 3 && seed % 3 == 0) fake_cluster_settings.is_away = true;
        crowd_act(time < 2 ? 250 : 100, crowd_run);
        fake_cluster_settings = (struct fake_cluster_settings){0};
        if (life % 2 == 0) crowd_settle();
        if (fake_random(3) == 0) crowd_leave();
    }
    crowd_act(100, crowd_run);
}

static void run_lives(uint64_t seed, uint64_t last_seed)
{
    for (; seed <= last_seed; seed++) {
        crowd_begin_in_cluster(seed, 1 + (uint32_t)seed % 4, false);
        busy_life(seed, 0);
        for (uint32_t life = 1; life < LIVES; life++) {
            crowd_stop();
            crowd_start_again(seed + 1000 * life, 1 + (uint32_t)(seed + life) % 4);
            busy_life(seed, life);
        }
        crowd_settle();
        crowd_leave();
        crowd_end();
        fake_cluster_forget();
        expect_no_leaks();
    }
}

Test(history_cluster, who_comes_back_gets_all_or_is_told_so, .timeout = 1200)
{
    run_lives(1, sized(6, 60));
    cr_expect_gt(crowd_counts.recovered, 100);
    cr_expect_gt(crowd_counts.refused, 50);
    cr_expect_gt(crowd_counts.replayed, 300);
    cr_expect_gt(crowd_counts.repeats, 30);
    cr_expect_gt(crowd_counts.refusals, 20);
    cr_expect_gt(crowd_counts.pages, 300);
    cr_expect_gt(fake_cluster_counts.entered, 100);
    cr_expect_gt(fake_cluster_counts.left, 50);
    cr_expect_gt(fake_cluster_counts.reads, 100);
    cr_expect_gt(fake_cluster_counts.lost, 20);
    cr_expect_eq(crowd_counts.store_reads, 0, "the cluster keeps what is kept");
}

/* ---- one thing at a time ---- */

#define SEND_BUFFER 65536

static struct scenario scenario;

static void start(uint64_t seed, const char *rule)
{
    fake_cluster_forget();
    scenario_start(&scenario, seed,
                   (const char *const[]){"--app", CHANNEL_APP " client_events=yes cache_ms=30s", "--shards", "2",
                                         "--history", rule, "--lobby-echo", FAKE_CLUSTER_FLAGS, NULL});
}

static void stop(void)
{
    fake_cluster_settings = (struct fake_cluster_settings){0};
    scenario_settle(&scenario);
    scenario_stop(&scenario);
    fake_cluster_forget();
    expect_no_leaks();
}

/* Who is in stays in; who comes is sent away to come back. */
Test(history_cluster, without_a_cluster_nobody_comes_in_and_all_are_told, .timeout = 60)
{
    start(1, "private-h*");
    struct channel_client *in = channel_client_enter(&scenario, 0), *late = channel_client_enter(&scenario, 1);
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    channel_client_subscribe(in, "private-h");
    scenario_settle(&scenario);
    cr_assert(channel_client_is_in(in, "private-h"));
    fake_cluster_settings.is_failing = true;
    struct client *raw = client_join(&scenario, 1, "/room/a", SEND_BUFFER);
    client_flood(raw, 3); /* before it is in */
    channel_client_subscribe(late, "private-other");
    channel_client_send(in, "private-h", "client-x", "\"1\"");
    channel_client_publish(in, "private-h", "client-x", "\"2\"", "id-2");
    api_client_publish(backend, "private-h", "x", "3");
    scenario_settle(&scenario);
    cr_expect_eq(late->client->code, 4200);
    cr_expect_eq(raw->status, 101);
    cr_expect_eq(raw->code, 1013);
    const struct heard_event *error = channel_client_heard(in, "pusher:error", NULL, 0);
    cr_assert_not_null(error);
    cr_expect_eq(error->code, 4301);
    const struct heard_event *ack = channel_client_heard(in, "pusher_internal:ringcast_ack", NULL, 0);
    cr_assert_not_null(ack);
    cr_expect_not_null(strstr(ack->data, "\"code\":503,\"retry\":true"), "%s", ack->data);
    cr_expect_eq(backend->answers[0].status, 503);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_cluster_dropped), 1);
    cr_expect_eq(in->client->code, 0);
    fake_cluster_settings.is_failing = false;
    channel_client_send(in, "private-h", "client-x", "\"4\"");
    struct channel_client *again = channel_client_enter(&scenario, 1);
    channel_client_subscribe(again, "private-other");
    scenario_settle(&scenario);
    cr_expect(channel_client_is_in(again, "private-other"));
    stop();
}

/* The connection that said it hears it no more than on a single server, whichever node it is on. */
Test(history_cluster, who_said_it_hears_no_echo_and_all_others_do, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        start(seed, "none");
        struct channel_client *clients[3];
        for (uint32_t i = 0; i < 3; i++) {
            clients[i] = channel_client_enter(&scenario, i % 2);
            channel_client_subscribe(clients[i], "private-a");
        }
        scenario_settle(&scenario);
        channel_client_send(clients[0], "private-a", "client-x", "\"1\"");
        channel_client_send(clients[1], "private-a", "client-x", "\"2\"");
        scenario_settle(&scenario);
        cr_expect_eq(channel_client_count(clients[0], "client-x", "private-a"), 1);
        cr_expect_eq(channel_client_count(clients[1], "client-x", "private-a"), 1);
        cr_expect_eq(channel_client_count(clients[2], "client-x", "private-a"), 2);
        stop();
    }
}

/* RFC 6455 5.5.1: the server's close frame is the last, so what is owed comes before it. */
Test(history_cluster, ones_own_words_in_a_room_come_before_the_close, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        start(seed, "none");
        struct client *raw = client_join(&scenario, seed % 2, "/room/a", SEND_BUFFER);
        scenario_settle(&scenario);
        client_flood(raw, 5);
        client_close(raw, 1000);
        scenario_settle(&scenario);
        cr_expect_eq(raw->heard_count, 5, "seed %lu: %u", seed, raw->heard_count);
        cr_expect_eq(raw->code, 1000);
        stop();
    }
}

Test(history_cluster, the_last_event_of_a_cache_channel_is_told_wherever_one_comes_in, .timeout = 60)
{
    start(1, "none");
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    api_client_publish(backend, "cache-a", "x", "1");
    scenario_settle(&scenario);
    struct channel_client *one = channel_client_enter(&scenario, 0);
    channel_client_subscribe(one, "cache-a");
    scenario_settle(&scenario);
    cr_expect_eq(channel_client_count(one, "x", "cache-a"), 1);
    cr_expect_eq(channel_client_count(one, "pusher:cache_miss", "cache-a"), 0);
    channel_client_unsubscribe(one, "cache-a");
    scenario_pass(&scenario, 40000);
    struct channel_client *two = channel_client_enter(&scenario, 1);
    channel_client_subscribe(two, "cache-a");
    scenario_settle(&scenario);
    cr_expect_eq(channel_client_count(two, "pusher:cache_miss", "cache-a"), 1);
    stop();
}

/* Somebody signs in on this node; another node publishes to the user. */
Test(history_cluster, a_user_is_told_wherever_it_is, .timeout = 60)
{
    start(1, "none");
    struct channel_client *ann = channel_client_enter(&scenario, 1);
    channel_client_sign_in(ann, "ann", NULL);
    scenario_settle(&scenario);
    fake_cluster_publish("#server-to-user-ann", "hello", false);
    scenario_settle(&scenario);
    cr_expect_eq(channel_client_count(ann, "x", "#server-to-user-ann"), 1);
    stop();
}
