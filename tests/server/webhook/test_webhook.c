/* tests/server/webhook/test_webhook.c - the webhook thread against receivers on loopback that answer as a test wants.
 * What is waited for has no limit of its own but the test's. */
#include "net/digest.h"
#include "server/webhook/webhook.h"
#include "server/webhook/webhook_post.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/options.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ALL ((1u << WEBHOOK_KINDS_MAX) - 1)

/* One test after the other: the runner of Criterion 2.4 leaks when a slow test outlives the ones after it. */
ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    (void)tests;
    criterion_options.jobs = 1;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* ---- a receiver ---- */

enum {
    CONNECTIONS_MAX = 64,
    REQUESTS_MAX = 20000,
    STATUS_NONE = 0,  /* never answers */
    STATUS_FLOOD = 1, /* 200 and then an answer without end */
};

struct peer {
    int descriptor;
    char *bytes; /* of a request, not yet whole */
    size_t count;
};

struct receiver {
    int listener;
    char url[64];
    pthread_t thread;
    int statuses[8]; /* of the first answers; the last one that is not 0 holds for all others */
    struct peer peers[CONNECTIONS_MAX];
    uint32_t peers_count;
    atomic_bool is_stopping;
    char *requests[REQUESTS_MAX]; /* whole, with a zero behind; complete up to: */
    atomic_uint requests_count;
    atomic_uint connections;
};

static void answer(struct receiver *receiver, int descriptor, uint32_t number)
{
    int status = receiver->statuses[0];
    for (uint32_t i = 1; i <= number && i < 8 && receiver->statuses[i] != 0; i++)
        status = receiver->statuses[i];
    char text[256], flood[4096] = "";
    if (status == STATUS_NONE) return;
    bool is_flood = status == STATUS_FLOOD;
    int bytes = snprintf(text, sizeof text, "HTTP/1.1 %d X\r\nLocation: /elsewhere\r\nContent-Length: %d\r\n\r\n%s",
                         is_flood ? 200 : status, is_flood ? 100000000 : 2, is_flood ? "" : "ok");
    if (send(descriptor, text, (size_t)bytes, MSG_NOSIGNAL) != bytes) return;
    for (int i = 0; is_flood && i < 50; i++)
        if (send(descriptor, flood, sizeof flood, MSG_NOSIGNAL) < 0) return;
}

/* The bytes of the first request at hand; 0: it is not whole. */
static size_t request_bytes(const struct peer *peer)
{
    const char *end = memmem(peer->bytes, peer->count, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    const char *length = memmem(peer->bytes, peer->count, "Content-Length: ", 16);
    cr_assert(length != NULL && length < end);
    size_t bytes = (size_t)(end + 4 - peer->bytes) + strtoul(length + 16, NULL, 10);
    return bytes <= peer->count ? bytes : 0;
}

/* False: the peer is gone. */
static bool take_bytes(struct receiver *receiver, struct peer *peer)
{
    peer->bytes = realloc(peer->bytes, peer->count + 65536);
    ssize_t got = recv(peer->descriptor, peer->bytes + peer->count, 65536, 0);
    if (got <= 0) return false;
    peer->count += (size_t)got;
    for (size_t bytes; (bytes = request_bytes(peer)) > 0;) {
        uint32_t number = atomic_load(&receiver->requests_count);
        cr_assert_lt(number, REQUESTS_MAX);
        receiver->requests[number] = strndup(peer->bytes, bytes);
        atomic_store(&receiver->requests_count, number + 1);
        answer(receiver, peer->descriptor, number);
        peer->count -= bytes;
        memmove(peer->bytes, peer->bytes + bytes, peer->count);
    }
    return true;
}

static void drop_peer(struct receiver *receiver, uint32_t index)
{
    close(receiver->peers[index].descriptor);
    free(receiver->peers[index].bytes);
    receiver->peers[index] = receiver->peers[--receiver->peers_count];
}

static void *receive(void *argument)
{
    struct receiver *receiver = argument;
    while (!atomic_load(&receiver->is_stopping)) {
        struct pollfd polls[CONNECTIONS_MAX + 1] = {{.fd = receiver->listener, .events = POLLIN}};
        for (uint32_t i = 0; i < receiver->peers_count; i++)
            polls[i + 1] = (struct pollfd){.fd = receiver->peers[i].descriptor, .events = POLLIN};
        poll(polls, receiver->peers_count + 1, 10);
        for (uint32_t i = receiver->peers_count; i-- > 0;)
            if (polls[i + 1].revents != 0 && !take_bytes(receiver, &receiver->peers[i])) drop_peer(receiver, i);
        if (polls[0].revents == 0) continue;
        cr_assert_lt(receiver->peers_count, CONNECTIONS_MAX);
        receiver->peers[receiver->peers_count++] =
            (struct peer){.descriptor = accept(receiver->listener, NULL, NULL)};
        atomic_fetch_add(&receiver->connections, 1);
    }
    while (receiver->peers_count > 0)
        drop_peer(receiver, 0);
    return NULL;
}

static struct receiver *receiver_start(int first, int second, int third)
{
    struct receiver *receiver = calloc(1, sizeof *receiver);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    receiver->statuses[0] = first;
    receiver->statuses[1] = second;
    receiver->statuses[2] = third;
    receiver->listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(receiver->listener, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(receiver->listener, 64), 0);
    cr_assert_eq(getsockname(receiver->listener, (struct sockaddr *)&address, &bytes), 0);
    snprintf(receiver->url, sizeof receiver->url, "http://127.0.0.1:%u/hook?a=b", ntohs(address.sin_port));
    cr_assert_eq(pthread_create(&receiver->thread, NULL, receive, receiver), 0);
    return receiver;
}

static void receiver_stop(struct receiver *receiver)
{
    atomic_store(&receiver->is_stopping, true);
    pthread_join(receiver->thread, NULL);
    for (uint32_t i = 0; i < receiver->requests_count; i++)
        free(receiver->requests[i]);
    close(receiver->listener);
    free(receiver);
}

static void receiver_await(struct receiver *receiver, uint32_t requests)
{
    while (atomic_load(&receiver->requests_count) < requests)
        pause_ms(2);
}

/* What stands behind the head. */
static const char *body_of(const char *request)
{
    return strstr(request, "\r\n\r\n") + 4;
}

/* ---- a sender's side ---- */

static char none[] = ""; /* no webhooks */
static char ids[2][8] = {"1001", "1002"}, keys[2][16] = {"rcdemo4f2a9c71", "another"};
static char secrets[2][32] = {"s3cr3t-ringcast-demo", "another"};
static struct app apps[2];
static struct options options;
static struct config config;
static struct webhooks *webhooks;

/* What is set here a test may change before start(). */
static void prepare(char *first, char *second)
{
    unsetenv("http_proxy");
    apps[0] = (struct app){.index = 0, .id = ids[0], .key = keys[0], .secret = secrets[0], .webhook = first};
    apps[1] = (struct app){.index = 1, .id = ids[1], .key = keys[1], .secret = secrets[1], .webhook = second};
    apps[0].webhook_events = apps[1].webhook_events = ALL;
    for (uint32_t i = 0; i < 2; i++)
        apps[i].webhook_channel_prefix = apps[i].webhook_channel_suffix = none;
    options = (struct options){.app = {.items = apps, .count = 2},
                               .webhook_delay_ms = 3000,
                               .webhook_batch_ms = 1,
                               .webhook_retry_ms_max = 300000,
                               .webhook_stop_ms_max = 60000,
                               .webhook_events_max = 100000};
}

/* For one receiver, which answers so. */
static struct receiver *prepare_one(int first, int second, int third)
{
    struct receiver *receiver = receiver_start(first, second, third);
    prepare(receiver->url, none);
    return receiver;
}

static void start(uint32_t senders)
{
    char reason[256];
    config = (struct config){.options = &options, .number = 1, .holders = 1};
    cr_assert_eq(webhooks_start(&webhooks, &config, senders, reason, sizeof reason), RC_OK, "%s", reason);
}

static uint64_t counted(enum counter counter)
{
    return counter_get(webhooks_counters(webhooks), counter);
}

static void await(enum counter counter, uint64_t value)
{
    while (counted(counter) < value)
        pause_ms(2);
}

static bool tell(uint32_t sender, uint32_t app, enum webhook_kind kind, const char *channel)
{
    struct webhook_event event = {.kind = kind, .app = (uint16_t)app, .channel = text_of(channel)};
    bool is_told = webhooks_tell(webhooks, sender, &apps[event.app], &event);
    webhooks_wake(webhooks, sender);
    return is_told;
}

/* Stops the webhooks, whose events have become so many by now. */
static void stop(uint64_t sent, uint64_t dropped)
{
    webhooks_stop(webhooks);
    cr_expect_eq(counted(COUNTER_webhook_events_sent), sent);
    cr_expect_eq(counted(COUNTER_webhook_events_dropped), dropped);
    cr_expect_eq(counted(COUNTER_webhook_events_waiting), 0);
}

/* After a stop. */
static void end(struct receiver *receiver)
{
    webhooks_free(webhooks);
    receiver_stop(receiver);
}

static bool has_line(const char *request, const char *line)
{
    const char *end = strstr(request, "\r\n\r\n"), *at = strstr(request, line);
    return at != NULL && at < end && at[-1] == '\n' && at[strlen(line)] == '\r';
}

/* ---- tests ---- */

Test(webhook, posts_signed_requests_over_one_connection, .timeout = 60)
{
    struct receiver *receiver = prepare_one(200, 0, 0);
    static char token[] = "Authorization: Bearer abc", plain[] = "X-Plain:1", *headers[] = {token, plain};
    apps[0].webhook_header = (struct text_list){.items = headers, .count = 2};
    start(1);
    for (uint32_t i = 0; i < 3; i++) {
        char line[160] = "X-Pusher-Signature: ";
        cr_expect(tell(0, 0, WEBHOOK_channel_occupied, "room-7"));
        receiver_await(receiver, i + 1);
        const char *request = receiver->requests[i];
        const struct text body = text_of(body_of(request));
        cr_assert_eq(digest_hmac_hex(text_of(apps[0].secret), &body, 1, line + strlen(line)), RC_OK);
        cr_expect(text_has_prefix(text_of(request), "POST /hook?a=b HTTP/1.1\r\n"), "%s", request);
        cr_expect(has_line(request, line), "%s", request);
        cr_expect(has_line(request, "X-Pusher-Key: rcdemo4f2a9c71"), "%s", request);
        cr_expect(has_line(request, "Content-Type: application/json"), "%s", request);
        cr_expect(has_line(request, "Authorization: Bearer abc"), "%s", request);
        cr_expect(has_line(request, "X-Plain:1"), "%s", request);
        cr_expect(has_line(request, "User-Agent: ringcast/" RINGCAST_VERSION), "%s", request);
        unsigned long long time_ms;
        int bytes = 0;
        sscanf(body.at, "{\"time_ms\":%llu,\"events\":[{\"name\":\"channel_occupied\",\"channel\":\"room-7\"}]}%n",
               &time_ms, &bytes);
        cr_expect_eq((size_t)bytes, body.count, "%s", body.at);
        long long age_s = (long long)time(NULL) - (long long)(time_ms / 1000);
        cr_expect(age_s >= -1 && age_s < 60);
        await(COUNTER_webhooks_sent, i + 1);
    }
    stop(3, 0);
    cr_expect_eq(atomic_load(&receiver->connections), 1);
    end(receiver);
}

/* Prefix and suffix may lie over each other. */
Test(webhook, posts_events_of_channels_that_begin_and_end_as_the_app_says, .timeout = 60)
{
    static const char *const channels[] = {"room-1-us", "room-eu", "room", "oom-1-eu", "", "-eu", "room-1-eu"};
    char prefix[] = "room-", suffix[] = "-eu";
    struct receiver *receiver = prepare_one(200, 0, 0);
    apps[0].webhook_channel_prefix = prefix;
    apps[0].webhook_channel_suffix = suffix;
    options.webhook_batch_ms = 0; /* a request for each */
    start(1);
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++)
        cr_expect(tell(0, 0, WEBHOOK_channel_occupied, channels[i]), "what is left out is not lost");
    receiver_await(receiver, 2);
    await(COUNTER_webhook_events_sent, 2);
    stop(2, 0);
    cr_expect_not_null(strstr(body_of(receiver->requests[0]), "\"room-eu\""));
    cr_expect_not_null(strstr(body_of(receiver->requests[1]), "\"room-1-eu\""));
    end(receiver);
}

/* 500, then a redirect (which is no success and is not followed), then 200: three times the same bytes. */
Test(webhook, tries_the_same_request_again_until_it_is_taken, .timeout = 120)
{
    struct receiver *receiver = prepare_one(500, 307, 200);
    start(1);
    tell(0, 0, WEBHOOK_cache_miss, "cache-a");
    await(COUNTER_webhooks_sent, 1);
    cr_expect_eq(counted(COUNTER_webhooks_failed), 2);
    stop(1, 0);
    cr_assert_eq(atomic_load(&receiver->requests_count), 3);
    cr_expect_str_eq(receiver->requests[1], receiver->requests[0]);
    cr_expect_str_eq(receiver->requests[2], receiver->requests[0]);
    end(receiver);
}

/* The first request pauses before its second try; the later ones go on, and the first one arrives at last. */
Test(webhook, a_request_that_failed_does_not_hold_up_later_ones, .timeout = 120)
{
    struct receiver *receiver = prepare_one(500, 200, 0);
    start(1);
    tell(0, 0, WEBHOOK_cache_miss, "cache-first");
    await(COUNTER_webhooks_failed, 1);
    tell(0, 0, WEBHOOK_cache_miss, "cache-second");
    await(COUNTER_webhooks_sent, 2);
    stop(2, 0);
    cr_assert_eq(atomic_load(&receiver->requests_count), 3);
    cr_expect(strstr(receiver->requests[1], "cache-second") != NULL);
    cr_expect(strstr(receiver->requests[2], "cache-first") != NULL);
    end(receiver);
}

Test(webhook, gives_up_at_once_when_no_retry_is_allowed, .timeout = 60)
{
    char dead[] = "http://127.0.0.1:1/";
    char file[] = "file:///etc/hostname";
    prepare(dead, file);
    options.webhook_retry_ms_max = 0;
    start(1);
    tell(0, 0, WEBHOOK_cache_miss, "cache-a");
    tell(0, 1, WEBHOOK_cache_miss, "cache-a");
    await(COUNTER_webhook_events_dropped, 2);
    cr_expect_eq(counted(COUNTER_webhooks_failed), 2, "a dead port, and a protocol that is not spoken");
    stop(0, 2);
    webhooks_free(webhooks);
}

/* Nobody listens: tried again while time allows, in which the app gets 2 tries or more, then dropped. */
Test(webhook, gives_up_when_the_time_for_retries_is_over, .timeout = 60)
{
    char dead[] = "http://127.0.0.1:1/";
    prepare(dead, none);
    options.webhook_retry_ms_max = 1200;
    start(1);
    tell(0, 0, WEBHOOK_cache_miss, "cache-a");
    await(COUNTER_webhook_events_dropped, 1);
    cr_expect_geq(counted(COUNTER_webhooks_failed), 2);
    stop(0, 1);
    webhooks_free(webhooks);
}

/* The first app's receiver accepts and never answers; the second app's events all arrive meanwhile. What the first
 * has is dropped at the stop, which does not wait for it beyond its limit. */
Test(webhook, what_waits_goes_where_a_newer_configuration_says, .timeout = 60)
{
    struct receiver *failing = prepare_one(500, 500, 500), *other = receiver_start(200, 0, 0);
    start(1);
    cr_expect(tell(0, 0, WEBHOOK_channel_occupied, "room-7"));
    receiver_await(failing, 1);
    await(COUNTER_webhooks_failed, 1);
    struct app next_apps[3] = {apps[0], apps[1], apps[1]};
    static char secret[] = "next-secret", id[] = "1003", key[] = "third";
    next_apps[0].webhook = next_apps[2].webhook = other->url;
    next_apps[0].secret = secret;
    next_apps[2].index = 2;
    next_apps[2].id = id;
    next_apps[2].key = key;
    struct options next = options;
    next.app = (struct app_list){.items = next_apps, .count = 3};
    struct config newer = {.options = &next, .number = 2, .holders = 1};
    webhooks_offer(webhooks, &newer);
    struct webhook_event event = {.kind = WEBHOOK_channel_occupied, .app = 2, .channel = text_of("of-the-new-app")};
    cr_expect(webhooks_tell(webhooks, 0, &next_apps[2], &event));
    webhooks_wake(webhooks, 0);
    receiver_await(other, 2); /* the new app's, and the one that failed */
    cr_expect_not(config_is_held(&config));
    cr_expect(config_is_held(&newer));
    for (uint32_t i = 0; i < 2; i++) {
        const struct app *app = has_line(other->requests[i], "X-Pusher-Key: third") ? &next_apps[2] : &next_apps[0];
        const struct text body = text_of(body_of(other->requests[i]));
        char line[160] = "X-Pusher-Signature: ";
        cr_assert_eq(digest_hmac_hex(text_of(app->secret), &body, 1, line + strlen(line)), RC_OK);
        cr_expect(has_line(other->requests[i], line), "%s", other->requests[i]);
    }
    await(COUNTER_webhooks_sent, 2);
    stop(2, 0);
    end(failing);
    receiver_stop(other);
}

Test(webhook, a_receiver_that_hangs_costs_other_apps_nothing, .timeout = 60)
{
    struct receiver *hanging = receiver_start(STATUS_NONE, 0, 0), *quick = receiver_start(200, 0, 0);
    prepare(hanging->url, quick->url);
    options.webhook_stop_ms_max = 100;
    start(1);
    for (uint32_t i = 0; i < 1000; i++) {
        cr_expect(tell(0, 0, WEBHOOK_cache_miss, "cache-a"));
        cr_expect(tell(0, 1, WEBHOOK_cache_miss, "cache-a"));
    }
    receiver_await(hanging, 1);
    await(COUNTER_webhook_events_sent, 1000);
    stop(1000, 1000);
    cr_expect_eq(atomic_load(&hanging->connections), 1);
    webhooks_free(webhooks);
    receiver_stop(hanging);
    receiver_stop(quick);
}

Test(webhook, more_events_than_the_bound_are_dropped_and_counted, .timeout = 60)
{
    struct receiver *hanging = receiver_start(STATUS_NONE, 0, 0), *quick = receiver_start(200, 0, 0);
    prepare(hanging->url, quick->url);
    options.webhook_events_max = 5;
    options.webhook_stop_ms_max = 0;
    start(1);
    for (uint32_t i = 0; i < 20; i++)
        tell(0, 0, WEBHOOK_cache_miss, "cache-a");
    await(COUNTER_webhook_events_dropped, 15);
    tell(0, 1, WEBHOOK_cache_miss, "cache-a");
    await(COUNTER_webhook_events_sent, 1);
    cr_expect_eq(counted(COUNTER_webhook_events_dropped), 15);
    cr_expect_eq(counted(COUNTER_webhook_events_waiting), 5);
    stop(1, 20);
    webhooks_free(webhooks);
    receiver_stop(hanging);
    receiver_stop(quick);
}

/* A status is enough: an answer that never ends is cut, and was a success all the same. */
Test(webhook, an_endless_answer_is_cut, .timeout = 60)
{
    struct receiver *receiver = prepare_one(STATUS_FLOOD, 0, 0);
    start(1);
    tell(0, 0, WEBHOOK_cache_miss, "cache-a");
    await(COUNTER_webhook_events_sent, 1);
    cr_expect_eq(counted(COUNTER_webhooks_failed), 0);
    webhooks_stop(webhooks);
    end(receiver);
}

/* Delayed for a minute, and waiting ten seconds for others: a stop posts both at once. */
Test(webhook, a_stop_posts_what_waits, .timeout = 60)
{
    struct receiver *receiver = prepare_one(200, 0, 0);
    options.webhook_delay_ms = 60000;
    options.webhook_batch_ms = 10000;
    start(2);
    tell(0, 0, WEBHOOK_channel_vacated, "a");
    tell(1, 0, WEBHOOK_cache_miss, "cache-a");
    tell(1, 0, WEBHOOK_channel_vacated, "b");
    tell(1, 0, WEBHOOK_channel_occupied, "b");
    stop(2, 0);
    cr_expect_eq(atomic_load(&receiver->requests_count), 1);
    end(receiver);
}

/* A request pauses for at least half a second after a 500; a stop tries it again without that. */
Test(webhook, a_stop_tries_once_more_what_pauses, .timeout = 60)
{
    struct receiver *receiver = prepare_one(500, 500, 200);
    start(1);
    tell(0, 0, WEBHOOK_cache_miss, "cache-a");
    await(COUNTER_webhooks_failed, 2);
    stop(1, 0);
    end(receiver);
}

Test(webhook, without_an_app_that_wants_any_there_is_no_thread, .timeout = 10)
{
    prepare(none, none);
    start(4);
    cr_expect(tell(3, 0, WEBHOOK_channel_occupied, "a"));
    stop(0, 0);
    webhooks_free(webhooks);
    webhooks_stop(NULL);
    webhooks_free(NULL);
}

/* ---- many senders ---- */

enum { SENDERS = 4, EVENTS = 2500 };

static void *send_numbers(void *number)
{
    uint32_t sender = *(uint32_t *)number;
    for (uint32_t i = 0; i < EVENTS; i++) {
        char channel[32];
        snprintf(channel, sizeof channel, "%u-%u", sender, i);
        struct webhook_event event = {
            .kind = WEBHOOK_cache_miss, .app = (uint16_t)(i % 2), .channel = text_of(channel)};
        cr_assert(webhooks_tell(webhooks, sender, &apps[event.app], &event));
        if (i % 7 == 0) webhooks_wake(webhooks, sender);
    }
    webhooks_wake(webhooks, sender);
    return NULL;
}

/* Each sender's events of one app: all there, in order. Returns how many. */
static uint32_t check_order(const struct receiver *receiver, uint32_t app)
{
    uint32_t next[SENDERS], count = 0;
    for (uint32_t i = 0; i < SENDERS; i++)
        next[i] = app;
    for (uint32_t i = 0; i < receiver->requests_count; i++) {
        for (const char *at = receiver->requests[i]; (at = strstr(at, "\"channel\":\"")) != NULL; at++, count++) {
            uint32_t sender, number;
            cr_assert_eq(sscanf(at, "\"channel\":\"%u-%u\"", &sender, &number), 2);
            cr_assert_eq(number, next[sender], "sender %u: %u instead of %u", sender, number, next[sender]);
            next[sender] += 2;
        }
    }
    return count;
}

/* Four threads tell 10,000 events of two apps as fast as they can, with a batch for many and with one event a
 * request: each arrives once, and those of one sender in its order. */
Test(webhook, all_events_of_all_senders_arrive_once_and_in_order, .timeout = 240)
{
    for (uint32_t batch_ms = 0; batch_ms < 2; batch_ms++) {
        struct receiver *receivers[2] = {receiver_start(200, 0, 0), receiver_start(200, 0, 0)};
        pthread_t threads[SENDERS];
        uint32_t numbers[SENDERS];
        prepare(receivers[0]->url, receivers[1]->url);
        options.webhook_batch_ms = batch_ms;
        start(SENDERS);
        for (uint32_t i = 0; i < SENDERS; i++) {
            numbers[i] = i;
            cr_assert_eq(pthread_create(&threads[i], NULL, send_numbers, &numbers[i]), 0);
        }
        for (uint32_t i = 0; i < SENDERS; i++)
            pthread_join(threads[i], NULL);
        await(COUNTER_webhook_events_sent, SENDERS * EVENTS);
        stop(SENDERS * EVENTS, 0);
        for (uint32_t app = 0; app < 2; app++) {
            cr_expect_eq(check_order(receivers[app], app), SENDERS * EVENTS / 2);
            receiver_stop(receivers[app]);
        }
        webhooks_free(webhooks);
    }
}

/* More than queue and bound can take, to a thread that is never woken by hand: each event is sent, counted as
 * dropped, or refused and then counted too. */
Test(webhook, a_flood_is_sent_or_counted, .timeout = 120)
{
    enum { FLOOD = 200000 };
    struct receiver *receiver = prepare_one(200, 0, 0);
    options.webhook_events_max = 1000;
    start(1);
    struct webhook_event event = {.kind = WEBHOOK_cache_miss, .app = 0, .channel = text_of("cache-a")};
    for (uint32_t i = 0; i < FLOOD; i++)
        webhooks_tell(webhooks, 0, &apps[0], &event);
    webhooks_stop(webhooks);
    cr_expect_eq(counted(COUNTER_webhook_events_sent) + counted(COUNTER_webhook_events_dropped), FLOOD);
    cr_expect_gt(counted(COUNTER_webhook_events_sent), 0);
    cr_expect_eq(counted(COUNTER_webhook_events_waiting), 0);
    end(receiver);
}

Test(webhook, pauses_double_up_to_a_minute_and_chance_halves_them_at_most, .timeout = 10)
{
    static const uint32_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (uint32_t i = 0; i < 8; i++) {
        cr_expect_eq(webhook_pause_ms(i + 1, 0), seconds[i] * 1000);
        for (uint32_t chance = 0; chance < 100000; chance += 77) {
            uint32_t pause = webhook_pause_ms(i + 1, chance);
            cr_assert(pause >= seconds[i] * 500 && pause <= seconds[i] * 1000);
        }
    }
    cr_expect_eq(webhook_pause_ms(UINT32_MAX, 0), 60000);
}
