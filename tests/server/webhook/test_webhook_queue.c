/* tests/server/webhook/test_webhook_queue.c - which events come in which request, at which time;
 * no sockets, no clock. */
#include "net/digest.h"
#include "server/config/options.h"
#include "server/webhook/webhook_queue.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL     ((1u << WEBHOOK_KINDS_MAX) - 1)
#define WALL_MS UINT64_C(1700000000123)
#define TEXT(s) ((struct text){.at = (s), .count = sizeof(s) - 1})

static char url[] = "http://example.com/";
static struct app apps[2];
static struct options options;
static struct counters counters;
static struct webhook_queue *queue;

static void begin(uint32_t delay_ms, uint32_t batch_ms, uint32_t events_max)
{
    for (uint16_t i = 0; i < 2; i++) {
        apps[i] = (struct app){.index = i, .webhook = url, .webhook_events = ALL};
    }
    options = (struct options){.app = {.items = apps, .count = 2},
                               .webhook_delay_ms = delay_ms,
                               .webhook_batch_ms = batch_ms,
                               .webhook_events_max = events_max};
    counters = (struct counters){0};
    queue = webhook_queue_new(&options, &counters);
    cr_assert(queue != NULL);
}

/* Ends the test, which has taken everything out. */
static void end(void)
{
    cr_expect_eq(webhook_queue_held(queue, 0) + webhook_queue_held(queue, 1), 0);
    cr_expect_eq(counter_get(&counters, COUNTER_webhook_events_waiting), 0);
    webhook_queue_free(queue);
}

static enum rc add(const struct webhook_event *event, uint64_t now_ms)
{
    struct webhook_item *item = webhook_item_new(event);
    cr_assert(item != NULL);
    return webhook_queue_add(queue, item, now_ms);
}

static enum rc add_channel(enum webhook_kind kind, uint32_t app, const char *channel, uint64_t now_ms)
{
    return add(&(struct webhook_event){.kind = kind, .app = (uint16_t)app, .channel = text_of(channel)}, now_ms);
}

static enum rc add_member(enum webhook_kind kind, const char *channel, const char *user, uint64_t now_ms)
{
    struct webhook_event event = {.kind = kind, .app = 0, .channel = text_of(channel), .user_id = text_of(user)};
    return add(&event, now_ms);
}

/* Takes the app's next request and expects these events in it, "[]" for no request; sends it. */
static void expect_request(uint32_t app, uint64_t now_ms, const char *events)
{
    char expected[4096] = "[]", got[4096] = "[]";
    webhook_queue_end_delays(queue, now_ms);
    struct webhook_request *request = webhook_queue_take(queue, app, now_ms, WALL_MS);
    if (strcmp(events, "[]") != 0)
        snprintf(expected, sizeof expected, "{\"time_ms\":1700000000123,\"events\":%s}", events);
    if (request != NULL) snprintf(got, sizeof got, "%.*s", (int)request->body_bytes, request->body);
    cr_expect_str_eq(got, expected);
    if (request != NULL) webhook_queue_done(queue, request, true);
}

#define OCCUPIED(channel) "{\"name\":\"channel_occupied\",\"channel\":\"" channel "\"}"
#define VACATED(channel)  "{\"name\":\"channel_vacated\",\"channel\":\"" channel "\"}"
#define MISS(channel)     "{\"name\":\"cache_miss\",\"channel\":\"" channel "\"}"

Test(webhook_queue, every_kind_is_written_as_the_protocol_says, .timeout = 10)
{
    const struct {
        struct webhook_event event;
        const char *json;
    } rows[] = {
        {{.kind = WEBHOOK_channel_occupied, .channel = TEXT("room-7")}, OCCUPIED("room-7")},
        {{.kind = WEBHOOK_channel_vacated, .channel = TEXT("room-7")}, VACATED("room-7")},
        {{.kind = WEBHOOK_member_added, .channel = TEXT("presence-a"), .user_id = TEXT("42")},
         "{\"name\":\"member_added\",\"channel\":\"presence-a\",\"user_id\":\"42\"}"},
        {{.kind = WEBHOOK_member_removed, .channel = TEXT("presence-a"), .user_id = TEXT("a\"\\\n\x01é")},
         "{\"name\":\"member_removed\",\"channel\":\"presence-a\",\"user_id\":\"a\\\"\\\\\\n\\u0001é\"}"},
        {{.kind = WEBHOOK_client_event,
          .channel = TEXT("private-a"),
          .event = TEXT("\"client-typing\""),
          .data = TEXT("\"{\\\"on\\\":true}\""),
          .socket_id = TEXT("12.34")},
         "{\"name\":\"client_event\",\"channel\":\"private-a\",\"event\":\"client-typing\","
         "\"data\":\"{\\\"on\\\":true}\",\"socket_id\":\"12.34\"}"},
        {{.kind = WEBHOOK_client_event,
          .channel = TEXT("presence-a"),
          .event = TEXT("\"client-\\\"x\\\"\""),
          .data = TEXT("\"\""),
          .sender_id = TEXT("\"42\""),
          .socket_id = TEXT("12.34")},
         "{\"name\":\"client_event\",\"channel\":\"presence-a\",\"event\":\"client-\\\"x\\\"\",\"data\":\"\","
         "\"socket_id\":\"12.34\",\"user_id\":\"42\"}"},
        {{.kind = WEBHOOK_room_message,
          .channel = TEXT("tea"),
          .data = TEXT("\"Ann: \\\"hi\\\"\""),
          .socket_id = TEXT("0.34"),
          .epoch = TEXT("k3x9ab2m"),
          .offset = UINT64_MAX},
         "{\"name\":\"room_message\",\"channel\":\"tea\",\"data\":\"Ann: \\\"hi\\\"\",\"socket_id\":\"0.34\","
         "\"epoch\":\"k3x9ab2m\",\"offset\":18446744073709551615}"},
        {{.kind = WEBHOOK_cache_miss, .channel = TEXT("cache-a")}, MISS("cache-a")},
        {{.kind = WEBHOOK_subscription_count, .channel = TEXT("room-7"), .count = 0},
         "{\"name\":\"subscription_count\",\"channel\":\"room-7\",\"subscription_count\":0}"},
        {{.kind = WEBHOOK_subscription_count, .channel = TEXT("room-7"), .count = UINT32_MAX},
         "{\"name\":\"subscription_count\",\"channel\":\"room-7\",\"subscription_count\":4294967295}"},
    };
    begin(0, 0, 100);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char events[512];
        struct webhook_event event = rows[i].event;
        event.app = 0;
        snprintf(events, sizeof events, "[%s]", rows[i].json);
        cr_expect_eq(add(&event, 5), RC_OK);
        expect_request(0, 5, events);
    }
    cr_expect_eq(counter_get(&counters, COUNTER_webhook_events_sent), sizeof rows / sizeof rows[0]);
    end();
}

/* The protocol's own example, computed elsewhere: if these bytes are signed, a backend's SDK accepts them. */
Test(webhook_queue, the_example_has_the_signature_of_the_reference, .timeout = 10)
{
    char signature[DIGEST_HMAC_HEX_BYTES + 1];
    begin(0, 0, 100);
    add_channel(WEBHOOK_channel_occupied, 0, "room-7", 1);
    struct webhook_request *request = webhook_queue_take(queue, 0, 1, WALL_MS);
    cr_assert(request != NULL);
    struct text body = {.at = request->body, .count = request->body_bytes};
    cr_expect(text_is(body, "{\"time_ms\":1700000000123,\"events\":[" OCCUPIED("room-7") "]}"));
    cr_assert_eq(digest_hmac_hex(TEXT("s3cr3t-ringcast-demo"), &body, 1, signature), RC_OK);
    cr_expect_str_eq(signature, "bf04de43fa30f1a6879bd3fdea609e7a68b56376478772ea44451eba66ec089c");
    webhook_queue_done(queue, request, true);
    end();
}

Test(webhook_queue, who_is_back_in_time_was_never_away, .timeout = 10)
{
    begin(3000, 0, 100);
    add_channel(WEBHOOK_channel_vacated, 0, "a", 1000);
    add_member(WEBHOOK_member_removed, "presence-a", "42", 1000);
    cr_expect_eq(webhook_queue_delay_ends_at_ms(queue), 4000);
    expect_request(0, 3999, "[]");
    add_channel(WEBHOOK_channel_occupied, 0, "a", 3999);
    add_member(WEBHOOK_member_added, "presence-a", "42", 3999);
    cr_expect_eq(webhook_queue_delay_ends_at_ms(queue), UINT64_MAX);
    cr_expect_eq(webhook_queue_ready_at_ms(queue, 0), UINT64_MAX);
    expect_request(0, 100000, "[]");
    cr_expect_eq(counter_get(&counters, COUNTER_webhook_events_dropped), 0);
    end();
}

Test(webhook_queue, who_comes_back_too_late_was_away, .timeout = 10)
{
    begin(3000, 0, 100);
    add_channel(WEBHOOK_channel_vacated, 0, "a", 1000);
    add_channel(WEBHOOK_channel_occupied, 0, "a", 4000);
    expect_request(0, 4000, "[" VACATED("a") "]");
    expect_request(0, 4000, "[" OCCUPIED("a") "]");
    end();
}

Test(webhook_queue, a_short_stay_is_told_with_both_events, .timeout = 10)
{
    begin(3000, 50, 100);
    add_channel(WEBHOOK_channel_occupied, 0, "a", 1000);
    add_channel(WEBHOOK_channel_vacated, 0, "a", 1001);
    expect_request(0, 1050, "[" OCCUPIED("a") "]");
    expect_request(0, 4050, "[]");
    expect_request(0, 4051, "[]"); /* the delay was over at 4050, since when it waits for others */
    expect_request(0, 4100, "[" VACATED("a") "]");
    end();
}

/* Leave, come, leave, come, leave: only the last one counts, and only once its delay is over. */
Test(webhook_queue, a_flapping_channel_is_told_of_once, .timeout = 10)
{
    begin(3000, 0, 100);
    for (uint64_t now_ms = 1000; now_ms < 11000; now_ms += 1000) {
        add_channel(WEBHOOK_channel_vacated, 0, "a", now_ms);
        add_channel(WEBHOOK_channel_occupied, 0, "a", now_ms + 500);
    }
    add_channel(WEBHOOK_channel_vacated, 0, "a", 11000);
    expect_request(0, 13999, "[]");
    expect_request(0, 14000, "[" VACATED("a") "]");
    expect_request(0, 14000, "[]");
    end();
}

Test(webhook_queue, only_the_same_channel_of_the_same_app_and_user_cancels, .timeout = 10)
{
    begin(3000, 10, 100);
    add_channel(WEBHOOK_channel_vacated, 0, "a", 0);
    add_channel(WEBHOOK_channel_occupied, 1, "a", 1);
    add_channel(WEBHOOK_channel_occupied, 0, "b", 1);
    add_member(WEBHOOK_member_removed, "presence-a", "42", 2);
    add_member(WEBHOOK_member_added, "presence-a", "43", 3);
    add_member(WEBHOOK_member_added, "presence-b", "42", 3);
    add_channel(WEBHOOK_channel_occupied, 0, "presence-a", 3);
    add_member(WEBHOOK_member_added, "a", "42", 3);
    expect_request(1, 100, "[" OCCUPIED("a") "]");
    cr_expect_eq(webhook_queue_held(queue, 0), 7);
    expect_request(
        0, 100,
        "[" OCCUPIED("b") ",{\"name\":\"member_added\",\"channel\":\"presence-a\",\"user_id\":\"43\"},"
                          "{\"name\":\"member_added\",\"channel\":\"presence-b\",\"user_id\":\"42\"}," OCCUPIED(
                              "presence-a") ",{\"name\":\"member_added\",\"channel\":\"a\",\"user_id\":\"42\"}]");
    webhook_queue_end_delays(queue, 3002);
    expect_request(0, 3012,
                   "[" VACATED("a") ",{\"name\":\"member_removed\",\"channel\":\"presence-a\",\"user_id\":\"42\"}]");
    end();
}

/* An app that wants only one of the two: the other one still tells that nothing has changed. */
Test(webhook_queue, an_event_that_is_not_wanted_cancels_and_is_cancelled, .timeout = 10)
{
    static const enum webhook_kind wanted[] = {WEBHOOK_channel_vacated, WEBHOOK_channel_occupied};
    for (size_t i = 0; i < 2; i++) {
        begin(3000, 0, 100);
        apps[0].webhook_events = 1u << wanted[i];
        add_channel(WEBHOOK_channel_vacated, 0, "a", 0);
        add_channel(WEBHOOK_channel_occupied, 0, "a", 1000);
        add_channel(WEBHOOK_cache_miss, 0, "a", 1000);
        expect_request(0, 10000, "[]");
        cr_expect_eq(webhook_queue_held(queue, 0), 0);
        add_channel(WEBHOOK_channel_vacated, 0, "a", 20000);
        webhook_queue_end_delays(queue, 23000);
        add_channel(WEBHOOK_channel_occupied, 0, "a", 23000);
        expect_request(0, 23000, i == 0 ? "[" VACATED("a") "]" : "[" OCCUPIED("a") "]");
        expect_request(0, 23000, "[]");
        end();
    }
}

Test(webhook_queue, without_a_delay_nothing_is_cancelled, .timeout = 10)
{
    begin(0, 10, 100);
    add_channel(WEBHOOK_channel_vacated, 0, "a", 0);
    add_channel(WEBHOOK_channel_occupied, 0, "a", 0);
    expect_request(0, 10, "[" VACATED("a") "," OCCUPIED("a") "]");
    end();
}

Test(webhook_queue, events_share_a_request_once_the_first_has_waited, .timeout = 10)
{
    begin(3000, 50, 100);
    add_channel(WEBHOOK_cache_miss, 0, "a", 1000);
    cr_expect_eq(webhook_queue_ready_at_ms(queue, 0), 1050);
    cr_expect_eq(webhook_queue_ready_at_ms(queue, 1), UINT64_MAX);
    add_channel(WEBHOOK_cache_miss, 1, "b", 1010);
    add_channel(WEBHOOK_cache_miss, 0, "c", 1049);
    expect_request(0, 1049, "[]");
    expect_request(0, 1050, "[" MISS("a") "," MISS("c") "]");
    expect_request(1, 1059, "[]");
    expect_request(1, 1060, "[" MISS("b") "]");
    end();
}

Test(webhook_queue, without_batches_each_event_has_a_request, .timeout = 10)
{
    begin(3000, 0, 100);
    add_channel(WEBHOOK_cache_miss, 0, "a", 1000);
    add_channel(WEBHOOK_cache_miss, 0, "b", 1000);
    expect_request(0, 1000, "[" MISS("a") "]");
    expect_request(0, 1000, "[" MISS("b") "]");
    expect_request(0, 1000, "[]");
    end();
}

/* 250 events wait: two full requests at once, the rest when its time has come. */
Test(webhook_queue, a_full_request_does_not_wait, .timeout = 10)
{
    begin(3000, 50, 1000);
    for (uint32_t i = 0; i < 250; i++) {
        char channel[16];
        snprintf(channel, sizeof channel, "c%u", i);
        add_channel(WEBHOOK_cache_miss, 0, channel, 1000);
    }
    for (uint32_t i = 0; i < 2; i++) {
        char first[32];
        struct webhook_request *request = webhook_queue_take(queue, 0, 1000, WALL_MS);
        cr_assert(request != NULL);
        cr_expect_eq(request->events, WEBHOOK_REQUEST_EVENTS_MAX);
        snprintf(first, sizeof first, "\"c%u\"}", i * WEBHOOK_REQUEST_EVENTS_MAX);
        cr_expect(memmem(request->body, 128, first, strlen(first)) != NULL);
        webhook_queue_done(queue, request, true);
    }
    cr_expect(webhook_queue_take(queue, 0, 1049, WALL_MS) == NULL);
    struct webhook_request *request = webhook_queue_take(queue, 0, 1050, WALL_MS);
    cr_assert(request != NULL);
    cr_expect_eq(request->events, 50);
    webhook_queue_done(queue, request, true);
    end();
}

/* Large data: several events only as long as they fit, one of any size alone. */
Test(webhook_queue, a_body_has_its_bound_but_for_one_larger_event, .timeout = 10)
{
    static char data[WEBHOOK_BODY_BYTES_MAX];
    static const struct {
        uint32_t bytes; /* of each event's data */
        uint32_t events;
    } rows[] = {{1000, 100}, {10000, 26}, {WEBHOOK_BODY_BYTES_MAX / 2, 1}, {WEBHOOK_BODY_BYTES_MAX, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(data, 'x', sizeof data);
        data[0] = data[rows[i].bytes - 1] = '"';
        begin(3000, 50, 1000);
        struct webhook_event event = {.kind = WEBHOOK_client_event, .app = 0, .channel = TEXT("private-a")};
        event.data = (struct text){.at = data, .count = rows[i].bytes};
        for (uint32_t k = 0; k < 100; k++) {
            add(&event, 0);
        }
        for (uint32_t left = 100; left > 0;) {
            struct webhook_request *request = webhook_queue_take(queue, 0, 100, WALL_MS);
            cr_assert(request != NULL);
            cr_expect_eq(request->events, left < rows[i].events ? left : rows[i].events);
            cr_expect(request->events == 1 || request->body_bytes <= WEBHOOK_BODY_BYTES_MAX);
            cr_expect(memcmp(request->body + request->body_bytes - 4, "\"}]}", 4) == 0);
            left -= request->events;
            webhook_queue_done(queue, request, true);
        }
        end();
    }
}

/* Delayed, waiting and under way all count, for this app alone; what is done or cancelled makes room. */
Test(webhook_queue, an_app_holds_so_many_events_and_no_more, .timeout = 10)
{
    begin(3000, 0, 3);
    cr_expect_eq(add_channel(WEBHOOK_cache_miss, 0, "under-way", 0), RC_OK);
    struct webhook_request *request = webhook_queue_take(queue, 0, 0, WALL_MS);
    cr_assert(request != NULL);
    cr_expect_eq(add_channel(WEBHOOK_channel_vacated, 0, "delayed", 0), RC_OK);
    cr_expect_eq(add_channel(WEBHOOK_cache_miss, 0, "waiting", 0), RC_OK);
    cr_expect_eq(webhook_queue_held(queue, 0), 3);
    cr_expect_eq(counter_get(&counters, COUNTER_webhook_events_waiting), 3);
    cr_expect_eq(add_channel(WEBHOOK_cache_miss, 0, "too-much", 0), RC_EFULL);
    cr_expect_eq(add_channel(WEBHOOK_channel_vacated, 0, "too-much", 0), RC_EFULL);
    cr_expect_eq(counter_get(&counters, COUNTER_webhook_events_dropped), 2);
    cr_expect_eq(add_channel(WEBHOOK_cache_miss, 1, "another", 0), RC_OK);
    cr_expect_eq(add_channel(WEBHOOK_channel_occupied, 0, "delayed", 0), RC_OK, "cancels, so it needs no room");
    cr_expect_eq(webhook_queue_held(queue, 0), 2);
    webhook_queue_done(queue, request, false);
    cr_expect_eq(webhook_queue_held(queue, 0), 1);
    cr_expect_eq(counter_get(&counters, COUNTER_webhook_events_dropped), 3);
    cr_expect_eq(add_channel(WEBHOOK_cache_miss, 0, "again", 0), RC_OK);
    expect_request(0, 0, "[" MISS("waiting") "]");
    expect_request(0, 0, "[" MISS("again") "]");
    expect_request(1, 0, "[" MISS("another") "]");
    end();
}

Test(webhook_queue, a_flush_sends_delayed_events_and_waits_for_nothing, .timeout = 10)
{
    begin(3000, 50, 100);
    add_channel(WEBHOOK_cache_miss, 0, "a", 0);
    add_channel(WEBHOOK_channel_vacated, 0, "b", 1);
    add_channel(WEBHOOK_channel_vacated, 0, "c", 2);
    webhook_queue_flush(queue, 3);
    cr_expect_eq(webhook_queue_delay_ends_at_ms(queue), UINT64_MAX);
    expect_request(0, 3, "[" MISS("a") "," VACATED("b") "," VACATED("c") "]");
    add_channel(WEBHOOK_channel_vacated, 0, "d", 4);
    expect_request(0, 4, "[" VACATED("d") "]");
    end();
}

Test(webhook_queue, free_counts_what_is_left, .timeout = 10)
{
    webhook_queue_free(NULL);
    begin(3000, 50, 100);
    apps[1].webhook_events = 1u << WEBHOOK_channel_occupied;
    add_channel(WEBHOOK_cache_miss, 0, "a", 0);
    add_channel(WEBHOOK_channel_vacated, 0, "b", 0);
    add_channel(WEBHOOK_channel_vacated, 1, "c", 0); /* not wanted: nobody misses it */
    webhook_queue_free(queue);
    cr_expect_eq(counter_get(&counters, COUNTER_webhook_events_dropped), 2);
    cr_expect_eq(counter_get(&counters, COUNTER_webhook_events_waiting), 0);
}

enum { CHANNELS = 300 };

static bool is_occupied[CHANNELS], is_told[CHANNELS];

/* Takes what is ready; what is told of a channel must not be what was told before. */
static void take_truths(uint64_t now_ms)
{
    for (struct webhook_request *request; (request = webhook_queue_take(queue, 0, now_ms, WALL_MS)) != NULL;) {
        char body[16384], kind[32];
        uint32_t channel, found = 0;
        cr_assert_lt(request->body_bytes, sizeof body);
        memcpy(body, request->body, request->body_bytes);
        body[request->body_bytes] = '\0';
        for (const char *at = body; (at = strstr(at, "{\"name\"")) != NULL; at++, found++) {
            cr_assert_eq(sscanf(at, "{\"name\":\"%31[a-z_]\",\"channel\":\"%u\"}", kind, &channel), 2);
            cr_assert_neq(is_told[channel], strcmp(kind, "channel_occupied") == 0, "channel %u, twice", channel);
            is_told[channel] = !is_told[channel];
        }
        cr_assert_eq(found, request->events);
        webhook_queue_done(queue, request, true);
    }
}

/* Method: seeded departures and returns of 300 channels beside a model of which of them are away. What was told must
 * alternate for each channel, and at the end be the truth. */
Test(webhook_queue, any_mix_tells_each_channel_its_truth, .timeout = 60)
{
    enum { STEPS = 6000 };
    for (unsigned seed = 1; seed <= 20; seed++) {
        uint64_t now_ms = 0;
        srandom(seed);
        begin(300, 20, 100000);
        memset(is_occupied, 0, sizeof is_occupied);
        memset(is_told, 0, sizeof is_told);
        for (uint32_t step = 0; step < STEPS; step++) {
            char name[16];
            uint32_t channel = (uint32_t)random() % CHANNELS;
            snprintf(name, sizeof name, "%u", channel);
            is_occupied[channel] = !is_occupied[channel];
            add_channel(is_occupied[channel] ? WEBHOOK_channel_occupied : WEBHOOK_channel_vacated, 0, name, now_ms);
            now_ms += (uint64_t)random() % 3;
            webhook_queue_end_delays(queue, now_ms);
            take_truths(now_ms);
        }
        webhook_queue_flush(queue, now_ms);
        take_truths(now_ms);
        cr_assert_arr_eq(is_told, is_occupied, sizeof is_told, "seed %u", seed);
        cr_assert_gt(counter_get(&counters, COUNTER_webhook_events_sent), STEPS / 10);
        cr_assert_lt(counter_get(&counters, COUNTER_webhook_events_sent), STEPS - STEPS / 10, "some were cancelled");
        end();
    }
}
