/* tests/server/scenario/test_history_scenario.c - history, resuming and acknowledgements on a whole server with a fake
 * kernel and a fake store: nothing is lost that was promised, nothing comes twice, and all ends.
 *
 * Method: the crowd of tests/support/history_crowd.h, which asserts by itself what it may rely on as events come, over
 * several lives of a server on one store. Bounds are small, so that windows, the store and both answer. */
#include "tests/support/api_client.h"
#include "tests/support/fake_store.h"
#include "tests/support/history_crowd.h"
#include "tests/support/leaks.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIVES 3
#define SEEDS 8

static void busy_life(uint64_t seed, uint32_t life)
{
    for (uint32_t time = 0; time < 4; time++) {
        /* Quiet, with failures, full, and without any store. */
        fake_store_settings = (struct fake_store_settings){0};
        if (time == 1) fake_store_settings.fail_one_in = 4;
        if (time == 2 && seed % 2) fake_store_settings.jobs_max = 2;
        if (time == 3 && seed % 3) fake_store_settings.is_failing = true;
        crowd_act(time < 2 ? 250 : 100, crowd_run);
        if (life % 2 == 0) crowd_settle();
        if (fake_random(3) == 0) crowd_leave();
    }
    fake_store_settings = (struct fake_store_settings){0};
    crowd_act(100, crowd_run);
}

static void run_lives(uint64_t seed, uint64_t last_seed)
{
    for (; seed <= last_seed; seed++) {
        crowd_begin(seed, 1 + (uint32_t)seed % 4, false);
        busy_life(seed, 0);
        for (uint32_t life = 1; life < LIVES; life++) {
            if (fake_random(2)) crowd_rest();
            crowd_stop();
            crowd_start_again(seed + 1000 * life, 1 + (uint32_t)(seed + life) % 4);
            busy_life(seed, life);
        }
        crowd_settle();
        crowd_leave();
        crowd_end();
        expect_no_leaks();
    }
}

Test(history_scenario, who_comes_back_gets_all_or_is_told_so, .timeout = 240)
{
    run_lives(1, SEEDS);
    cr_expect_gt(crowd_counts.recovered, 100);
    cr_expect_gt(crowd_counts.refused, 50);
    cr_expect_gt(crowd_counts.replayed, 300);
    cr_expect_gt(crowd_counts.repeats, 50);
    cr_expect_gt(crowd_counts.refusals, 20);
    cr_expect_gt(crowd_counts.pages, 500);
    cr_expect_gt(crowd_counts.pages_refused, 5);
    cr_expect_gt(crowd_counts.evictions, 50);
    cr_expect_gt(crowd_counts.unkept, 20);
    cr_expect_gt(crowd_counts.store_reads, 500);
}

/* ---- one thing at a time ---- */

#define SEND_BUFFER 65536

static struct scenario scenario;

static const char *ping_ms = "25s", *pong_ms_max = "10s";

static void start(uint64_t seed, const char *rule)
{
    scenario_start(&scenario, seed,
                   (const char *const[]){"--app", CHANNEL_APP " client_events_per_second=1000", "--shards", "2",
                                         "--data-dir", "/nowhere", "--replay-bytes-max", "1KiB", "--history", rule,
                                         "--ping-ms", ping_ms, "--pong-ms-max", pong_ms_max, NULL});
}

static void publish(struct api_client *backend, const char *channel, const char *key)
{
    char body[200];
    snprintf(body, sizeof body, "{\"name\":\"x\",\"channel\":\"%s\",\"data\":\"%0100d\"%s%s%s}", channel, 0,
             key != NULL ? ",\"idempotency_key\":\"" : "", key != NULL ? key : "", key != NULL ? "\"" : "");
    api_client_post(backend, "/events", body);
}

static void expect_nothing_is_left(void)
{
    scenario_pass(&scenario, 130000);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_channels), 0);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_history_bytes), 0);
}

/* Keys are remembered for longer than the channel's log. */
Test(history_scenario, a_repeat_to_a_channel_that_is_gone_leaves_nothing, .timeout = 30)
{
    fake_store_forget();
    start(1, "a ttl=10s");
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    publish(backend, "a", "key");
    expect_nothing_is_left();
    backend = api_client_join(&scenario, 0, SEND_BUFFER); /* the first one was closed */
    publish(backend, "a", "key");
    scenario_settle(&scenario);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_repeats), 1);
    expect_nothing_is_left();
    scenario_stop(&scenario);
}

Test(history_scenario, a_store_that_takes_nothing_leaves_nothing, .timeout = 30)
{
    fake_store_forget();
    start(1, "a ttl=10s durable=yes");
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    fake_store_settings.is_failing = true;
    publish(backend, "a", NULL);
    scenario_settle(&scenario);
    cr_expect_eq(backend->answers[0].status, 503);
    expect_nothing_is_left();
    scenario_stop(&scenario);
}

/* Goal: a channel goes also if its time came while the store still had something to do for it.
 * Method: the store is stuck for longer than the log would wait, and fails then. */
Test(history_scenario, a_store_that_answers_late_leaves_nothing, .timeout = 30)
{
    for (uint32_t is_failing = 0; is_failing < 2; is_failing++) {
        fake_store_forget();
        start(1 + is_failing, "a ttl=10s durable=yes");
        struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
        publish(backend, "a", NULL);
        scenario_pass(&scenario, 15000);
        backend = api_client_join(&scenario, 0, SEND_BUFFER); /* the first one was closed */
        fake_store_settings.is_stuck = true;
        publish(backend, "a", NULL);
        scenario_pass(&scenario, 130000);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_channels), 1);
        fake_store_settings = (struct fake_store_settings){.is_failing = is_failing > 0};
        scenario_settle(&scenario);
        expect_nothing_is_left();
        scenario_stop(&scenario);
    }
}

/* The same with a page that nobody waits for any more. */
Test(history_scenario, a_page_that_comes_late_leaves_nothing, .timeout = 30)
{
    fake_store_forget();
    start(1, "room durable=yes ttl=100s");
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    for (uint32_t i = 0; i < 30; i++) {
        publish(backend, "room", NULL);
    }
    struct channel_client *reader = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
    scenario_settle(&scenario);
    channel_client_subscribe(reader, "room");
    scenario_pass(&scenario, 110000); /* all is expired */
    fake_store_settings.is_stuck = true;
    channel_client_ask_page(reader, "room", "\"since\":1", 50, 7);
    scenario_settle(&scenario);
    fake_reset(reader->client->socket);
    scenario_pass(&scenario, 130000);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_channels), 1);
    fake_store_settings.is_stuck = false;
    expect_nothing_is_left();
    scenario_stop(&scenario);
}

/* Goal: what went out unkept while the store could not be read is not forgotten when nobody subscribes, nor by a
 * restart.
 * Method: a reader leaves; the log goes; a raw client speaks into the room while the store fails, and leaves; the store
 * works again. */
static void lose_one(bool is_restarted)
{
    struct position from;
    fake_store_forget();
    start(1, "r durable=yes ttl=200s");
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    struct channel_client *reader = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
    scenario_settle(&scenario);
    channel_client_recover(reader, "r", NULL, &(struct position){0});
    scenario_settle(&scenario);
    publish(backend, "r", NULL);
    scenario_settle(&scenario);
    from = channel_client_place(reader, "r")->position;
    cr_assert_eq(from.offset, 1);
    channel_client_unsubscribe(reader, "r");
    scenario_pass(&scenario, 130000);
    fake_store_settings.is_failing = fake_store_settings.is_unreadable = true;
    struct client *raw = client_join(&scenario, 0, "/room/r", SEND_BUFFER);
    scenario_settle(&scenario);
    client_say(raw, 0);
    fake_shutdown(raw->socket);
    scenario_settle(&scenario);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_history_unkept), 1);
    fake_store_settings.is_failing = false;
    scenario_pass(&scenario, 2500);
    if (is_restarted) {
        scenario_pass(&scenario, 130000); /* the log goes */
        uint64_t now_ms = fake_now_ms() + 1;
        scenario_stop(&scenario);
        fake_kernel_begin_at(now_ms);
        start(2, "r durable=yes ttl=200s");
        reader = channel_client_join(&scenario, 0, CHANNEL_APP_KEY, SEND_BUFFER);
        scenario_settle(&scenario);
    }
    channel_client_recover(reader, "r", NULL, &from);
    scenario_settle(&scenario);
    cr_expect(channel_client_is_in(reader, "r"));
    cr_expect_not(channel_client_place(reader, "r")->is_recovered);
    channel_client_unsubscribe(reader, "r");
    scenario_pass(&scenario, 210000);
    scenario_stop(&scenario);
}

Test(history_scenario, what_went_out_unkept_is_told_to_who_comes_back, .timeout = 30)
{
    lose_one(false);
    lose_one(true);
}

Test(history_scenario, a_page_before_the_first_offset_is_no_page, .timeout = 30)
{
    fake_store_forget();
    start(1, "a ttl=10s");
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    publish(backend, "a", NULL);
    api_client_get(backend, "/channels/a/history", "before=0");
    scenario_settle(&scenario);
    api_client_last(backend, 400);
    expect_nothing_is_left();
    scenario_stop(&scenario);
}

#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)

/* The time of the first message behind that offset; 0: there is none. */
static uint64_t time_behind(uint32_t since)
{
    char query[40];
    struct api_client *backend = api_client_join(&scenario, 0, SEND_BUFFER);
    snprintf(query, sizeof query, "limit=1&since=%u", since);
    api_client_get(backend, "/channels/a/history", query);
    scenario_settle(&scenario);
    const char *at = strstr(api_client_last(backend, 200), "\"time_ms\":");
    return at != NULL ? strtoull(at + strlen("\"time_ms\":"), NULL, 10) : 0;
}

static struct client *raw;

static void start_with_raw(uint32_t is_durable)
{
    fake_store_forget();
    start(1 + is_durable, is_durable ? "a ttl=100s durable=yes" : "a ttl=100s");
    raw = client_join(&scenario, 0, "/room/a", SEND_BUFFER);
    scenario_settle(&scenario);
}

/* The API would refuse a signature of another year. */
static void say_at(int64_t day_off_ms)
{
    fake_set_day(day_off_ms);
    client_say(raw, 0);
    scenario_settle(&scenario);
    fake_set_day(0);
}

static void leave_and_stop(void)
{
    fake_shutdown(raw->socket);
    scenario_settle(&scenario);
    expect_nothing_is_left();
    scenario_stop(&scenario);
}

/* Goal: a clock that is a year off for a moment stamps nothing, forgets nothing, and keeps nothing for a year. */
Test(history_scenario, a_clock_that_leaps_for_a_moment_changes_nothing, .timeout = 30)
{
    for (uint32_t is_durable = 0; is_durable < 2; is_durable++) {
        start_with_raw(is_durable);
        say_at(0);
        say_at(YEAR_MS);
        say_at(-YEAR_MS);
        say_at(0);
        for (uint32_t since = 0; since < 4; since++) {
            uint64_t time_ms = time_behind(since);
            cr_expect(time_ms > 0 && time_ms <= FAKE_REALTIME_MS + fake_now_ms(), "%u: %lu", since, time_ms);
        }
        leave_and_stop();
    }
}

/* The same when it was wrong for so long that it was believed: that is over when the clock is right again. */
Test(history_scenario, a_clock_that_was_set_wrong_ends_no_retention, .timeout = 30)
{
    for (uint32_t is_durable = 0; is_durable < 2; is_durable++) {
        start_with_raw(is_durable);
        for (uint32_t i = 0; i < 3; i++) {
            say_at(YEAR_MS);
            fake_set_day(YEAR_MS);
            scenario_pass(&scenario, 11000);
        }
        say_at(0);
        scenario_pass(&scenario, 11000);
        say_at(0); /* the first with the right time again */
        scenario_pass(&scenario, 99000);
        cr_expect_gt(time_behind(0), 0);
        scenario_pass(&scenario, 2000);
        cr_expect_eq(time_behind(0), 0);
        leave_and_stop();
    }
}

/* Goal: nothing is lost by a clock that is set far ahead and, within the hour, right again. */
Test(history_scenario, a_clock_that_was_set_ahead_has_forgotten_nothing, .timeout = 30)
{
    for (uint32_t is_durable = 0; is_durable < 2; is_durable++) {
        start_with_raw(is_durable);
        say_at(0);
        fake_set_day(YEAR_MS);
        for (uint32_t i = 0; i < 3; i++) {
            scenario_pass(&scenario, 11000);
            say_at(YEAR_MS);
            fake_set_day(YEAR_MS);
        }
        fake_set_day(0);
        scenario_pass(&scenario, 11000);
        uint64_t time_ms = time_behind(0);
        cr_expect(time_ms > 0 && time_ms <= FAKE_REALTIME_MS + fake_now_ms(), "durable: %u: %lu", is_durable,
                  time_ms);
        scenario_pass(&scenario, 100000);
        say_at(0);
        scenario_pass(&scenario, 101000);
        cr_expect_eq(time_behind(0), 0);
        leave_and_stop();
    }
}

/* Goal: a clock that was rightly set ahead ends no retention: what is stamped by it while it is doubted goes when that
 * is over, also where nothing more is said. */
Test(history_scenario, what_a_clock_that_was_set_right_has_stamped_grows_old, .timeout = 30)
{
    ping_ms = pong_ms_max = "1h"; /* the reader stays, so that the log does */
    for (uint32_t is_durable = 0; is_durable < 2; is_durable++) {
        start_with_raw(is_durable);
        for (uint32_t i = 0; i < 2; i++) {
            say_at(YEAR_MS);
            fake_set_day(YEAR_MS);
            scenario_pass(&scenario, 11000);
        }
        say_at(YEAR_MS);
        cr_expect_gt(time_behind(2), FAKE_REALTIME_MS + YEAR_MS, "durable: %u", is_durable);
        fake_set_day(YEAR_MS);
        scenario_pass(&scenario, 7000 * 1000);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_messages_live), 0, "durable: %u", is_durable);
        cr_expect_eq(scenario_counter(&scenario, COUNTER_history_logs), 1, "durable: %u", is_durable);
        fake_set_day(0);
        leave_and_stop();
    }
}

/* Goal: the server may stop while some wait for the first of several publishes with one key. */
Test(history_scenario, repeats_that_wait_are_freed_at_the_end, .timeout = 30)
{
    fake_store_forget();
    start(1, "a durable=yes");
    struct api_client *backends[3];
    for (uint32_t i = 0; i < 3; i++) {
        backends[i] = api_client_join(&scenario, i % 2, SEND_BUFFER);
    }
    publish(backends[0], "a", NULL);
    scenario_settle(&scenario);
    fake_store_settings.is_stuck = true;
    for (uint32_t i = 0; i < 3; i++) {
        publish(backends[i], "a", "key");
    }
    scenario_settle(&scenario);
    cr_expect_eq(scenario_counter(&scenario, COUNTER_repeats), 2);
    server_set_stage(&scenario.server, SERVER_STOPPED);
    while (!server_has_ended(&scenario.server)) {
        scenario_step(&scenario, 1);
    }
    scenario_free(&scenario);
    fake_store_forget();
    expect_no_leaks();
}
