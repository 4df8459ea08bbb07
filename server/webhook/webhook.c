/* server/webhook/webhook.c - the webhook thread: senders' queues in, requests out. It sleeps in libcurl, which polls
 * the doorbell's descriptor beside its sockets. */
#include "server/webhook/webhook.h"

#include "core/mailbox.h"
#include "net/refusal.h"
#include "server/system/clock.h"
#include "server/system/log.h"
#include "server/system/worker.h"
#include "server/webhook/webhook_item.h"
#include "server/webhook/webhook_post.h"
#include "server/webhook/webhook_queue.h"

#include <assert.h>
#include <ck_pr.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EVENTS_PER_SENDER 1024                        /* in one pass: sockets have their turn too */
#define EVENTS_PER_WAKE   (WEBHOOK_SENDER_EVENTS / 4) /* a long turn does not fill the queue of a sleeping thread */
#define LETTERS_AT_ONCE   64

/* What is one sender's, on cache lines of its own. */
struct sender {
    _Alignas(128) struct mailbox *mailbox;
    uint32_t told;                              /* since it last woke the thread */
    uint64_t dropped;                           /* the sender stores, the thread loads */
    _Alignas(128) uint64_t dropped_and_counted; /* thread */
};

struct webhooks {
    struct config *offered; /* atomic */
    struct config *config;  /* that the thread goes by, held */
    const struct options *options;
    struct sender *senders; /* NULL: no app wants webhooks, there is no thread either */
    uint32_t senders_count;
    struct webhook_queue *queue;
    struct webhook_post *post;
    bool has_curl;
    struct counters counters; /* the thread's; any thread may read */
    struct worker worker;
};

/* ---- letters: the one place that knows what a letter carries ---- */

static struct letter event_letter(struct webhook_item *item)
{
    return (struct letter){.body = item};
}

static struct webhook_item *event_of(const struct letter *letter)
{
    return letter->body;
}

/* ---- senders ---- */

/* Does the app want the event, or its counterpart? A channel that is occupied again was not vacated, whatever else the
 * app wants to know. */
static bool is_wanted(const struct app *app, const struct webhook_event *event)
{
    if (!app_has_webhook(app, event->kind) && !app_has_webhook(app, webhook_counterpart(event->kind))) return false;
    return app_tells_of(app, event->channel);
}

bool webhooks_tell(struct webhooks *webhooks, uint32_t sender_number, const struct app *app,
                   const struct webhook_event *event)
{
    assert(sender_number < webhooks->senders_count);
    assert(app->index == event->app);
    if (!is_wanted(app, event)) return true;
    struct sender *sender = &webhooks->senders[sender_number];
    struct webhook_item *item = webhook_item_new(event);
    if (item != NULL) {
        struct letter letter = event_letter(item);
        if (mailbox_offer(sender->mailbox, &letter) == RC_OK) {
            if (++sender->told >= EVENTS_PER_WAKE) webhooks_wake(webhooks, sender_number);
            return true;
        }
        free(item);
    }
    ck_pr_store_64(&sender->dropped, sender->dropped + 1);
    return false;
}

void webhooks_wake(struct webhooks *webhooks, uint32_t sender_number)
{
    assert(sender_number < webhooks->senders_count);
    if (webhooks->senders == NULL) return; /* no app wants any */
    struct sender *sender = &webhooks->senders[sender_number];
    if (sender->told == 0) return;
    sender->told = 0;
    doorbell_ring(&webhooks->worker.doorbell);
}

const struct counters *webhooks_counters(const struct webhooks *webhooks)
{
    return &webhooks->counters;
}

/* ---- thread: configuration ---- */

void webhooks_offer(struct webhooks *webhooks, struct config *config)
{
    config_publish(&webhooks->offered, config);
    if (webhooks->senders != NULL) doorbell_ring(&webhooks->worker.doorbell);
}

static void take_config(struct webhooks *webhooks)
{
    struct config *newest = config_newest(&webhooks->offered), *former = webhooks->config;
    if (newest == former) return;
    webhooks->config = newest;
    webhooks->options = newest->options;
    webhook_queue_take_options(webhooks->queue, newest->options);
    webhook_post_take_options(webhooks->post, newest->options);
    config_let_go(former);
}

/* ---- thread: events in ---- */

static void take_event(struct webhooks *webhooks, struct webhook_item *item, uint64_t now_ms)
{
    const struct app *app = &webhooks->options->app.items[item->event.app];
    if (webhook_queue_add(webhooks->queue, item, now_ms) == RC_OK) return;
    log_warn("app %s: a webhook event is dropped, %u wait already: its receiver is too slow or does not answer "
             "(--webhook-events-max)",
             app->id, webhooks->options->webhook_events_max);
}

static uint32_t take_events(struct webhooks *webhooks, struct sender *sender, uint64_t now_ms)
{
    struct letter letters[LETTERS_AT_ONCE];
    uint32_t taken = 0, count = LETTERS_AT_ONCE;
    while (taken < EVENTS_PER_SENDER && count == LETTERS_AT_ONCE) {
        count = mailbox_receive(sender->mailbox, letters, LETTERS_AT_ONCE);
        if (count > 0) take_config(webhooks); /* they may be of apps that only a newer one has */
        for (uint32_t i = 0; i < count; i++) {
            take_event(webhooks, event_of(&letters[i]), now_ms);
        }
        taken += count;
    }
    return taken;
}

static void count_dropped(struct webhooks *webhooks, struct sender *sender)
{
    uint64_t dropped = ck_pr_load_64(&sender->dropped);
    uint64_t more = dropped - sender->dropped_and_counted;
    if (more == 0) return;
    sender->dropped_and_counted = dropped;
    counter_add(&webhooks->counters, COUNTER_webhook_events_dropped, more);
    log_warn("%llu webhook events are dropped: they came faster than they could be taken", (unsigned long long)more);
}

/* Returns how many there were. */
static uint32_t take_all_events(struct webhooks *webhooks, uint64_t now_ms)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < webhooks->senders_count; i++) {
        taken += take_events(webhooks, &webhooks->senders[i], now_ms);
        count_dropped(webhooks, &webhooks->senders[i]);
    }
    return taken;
}

static bool has_events(const struct webhooks *webhooks)
{
    for (uint32_t i = 0; i < webhooks->senders_count; i++) {
        if (!mailbox_is_empty(webhooks->senders[i].mailbox)) return true;
    }
    return false;
}

/* ---- thread: requests out ---- */

/* The clock on the wall, of time_ms in the bodies. */
static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void post_requests(struct webhooks *webhooks, uint64_t now_ms)
{
    webhook_queue_end_delays(webhooks->queue, now_ms);
    for (uint32_t app = 0; app < webhooks->options->app.count; app++) {
        while (webhook_post_has_room(webhooks->post, app)) {
            struct webhook_request *request = webhook_queue_take(webhooks->queue, app, now_ms, wall_ms());
            if (request == NULL) break;
            webhook_post_begin(webhooks->post, request, now_ms);
        }
    }
    webhook_post_run(webhooks->post, now_ms);
}

/* When there is something to do that no socket tells of. */
static uint64_t wake_at_ms(const struct webhooks *webhooks)
{
    uint64_t at_ms = webhook_queue_delay_ends_at_ms(webhooks->queue);
    for (uint32_t app = 0; app < webhooks->options->app.count; app++) {
        if (!webhook_post_has_room(webhooks->post, app)) continue; /* its socket tells */
        uint64_t ready_at_ms = webhook_queue_ready_at_ms(webhooks->queue, app);
        if (ready_at_ms < at_ms) at_ms = ready_at_ms;
    }
    return at_ms;
}

static void sleep_until(struct webhooks *webhooks, uint64_t at_ms)
{
    doorbell_lie_down(&webhooks->worker.doorbell);
    if (has_events(webhooks)) at_ms = 0;
    webhook_post_sleep(webhooks->post, webhooks->worker.doorbell.descriptor, monotonic_ms(), at_ms);
    doorbell_get_up(&webhooks->worker.doorbell);
}

static uint64_t held(const struct webhooks *webhooks)
{
    uint64_t events = 0;
    for (uint32_t app = 0; app < webhooks->options->app.count; app++) {
        events += webhook_queue_held(webhooks->queue, app);
    }
    return events;
}

static void say_what_is_left(const struct webhooks *webhooks)
{
    for (uint32_t app = 0; app < webhooks->options->app.count; app++) {
        uint32_t left = webhook_queue_held(webhooks->queue, app);
        if (left == 0) continue;
        log_warn("app %s: %u webhook events could not be posted before the stop (--webhook-stop-ms-max)",
                 webhooks->options->app.items[app].id, left);
    }
}

/* Posts what is left, as far as it goes. */
static void post_the_rest(struct webhooks *webhooks)
{
    uint64_t now_ms = monotonic_ms();
    uint64_t stop_at_ms = now_ms + webhooks->options->webhook_stop_ms_max;
    while (take_all_events(webhooks, now_ms) > 0) {
    }
    webhook_queue_flush(webhooks->queue, now_ms);
    webhook_post_hurry(webhooks->post, now_ms);
    while (held(webhooks) > 0 && now_ms < stop_at_ms) {
        post_requests(webhooks, now_ms);
        uint64_t at_ms = wake_at_ms(webhooks);
        if (held(webhooks) > 0) sleep_until(webhooks, at_ms < stop_at_ms ? at_ms : stop_at_ms);
        now_ms = monotonic_ms();
    }
    say_what_is_left(webhooks);
}

static void run(void *owner)
{
    struct webhooks *webhooks = owner;
    while (!worker_is_stopping(&webhooks->worker)) {
        uint64_t now_ms = monotonic_ms();
        take_config(webhooks);
        take_all_events(webhooks, now_ms);
        post_requests(webhooks, now_ms);
        sleep_until(webhooks, wake_at_ms(webhooks));
    }
    post_the_rest(webhooks);
    webhook_post_free(webhooks->post); /* here, for what they hold is counted as dropped, by the counters' owner */
    webhook_queue_free(webhooks->queue);
    webhooks->post = NULL;
    webhooks->queue = NULL;
}

/* ---- life ---- */

static bool has_webhooks(const struct app_list *apps)
{
    for (uint32_t i = 0; i < apps->count; i++) {
        if (apps->items[i].webhook[0] != '\0') return true;
    }
    return false;
}

static enum rc make_senders(struct webhooks *webhooks)
{
    size_t bytes = webhooks->senders_count * sizeof webhooks->senders[0];
    webhooks->senders = aligned_alloc(_Alignof(struct sender), bytes);
    if (webhooks->senders == NULL) return RC_ENOMEM;
    memset(webhooks->senders, 0, bytes);
    for (uint32_t i = 0; i < webhooks->senders_count; i++) {
        webhooks->senders[i].mailbox = mailbox_new(WEBHOOK_SENDER_EVENTS);
        if (webhooks->senders[i].mailbox == NULL) return RC_ENOMEM;
    }
    return RC_OK;
}

static enum rc make_parts(struct webhooks *webhooks, char *reason_r, size_t reason_size)
{
    enum rc rc = make_senders(webhooks);
    if (rc != RC_OK) return rc;
    webhooks->has_curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    if (!webhooks->has_curl) {
        snprintf(reason_r, reason_size, "webhooks: libcurl %s cannot be used here",
                 curl_version_info(CURLVERSION_NOW)->version);
        return RC_EKERNEL;
    }
    webhooks->queue = webhook_queue_new(webhooks->options, &webhooks->counters);
    if (webhooks->queue == NULL) return RC_ENOMEM;
    webhooks->post = webhook_post_new(webhooks->options, webhooks->queue, &webhooks->counters, monotonic_ms());
    if (webhooks->post == NULL) return RC_ENOMEM;
    if (worker_init(&webhooks->worker) != RC_OK) {
        snprintf(reason_r, reason_size, "webhooks: no descriptor is left: raise RLIMIT_NOFILE");
        return RC_EKERNEL;
    }
    return RC_OK;
}

static enum rc start_thread(struct webhooks *webhooks, char *reason_r, size_t reason_size)
{
    if (worker_start(&webhooks->worker, "webhooks", run, webhooks) == RC_OK) return RC_OK;
    refusal_of_thread("the webhooks", errno, reason_r, reason_size);
    return RC_EKERNEL;
}

enum rc webhooks_start(struct webhooks **webhooks_r, struct config *config, uint32_t senders, char *reason_r,
                       size_t reason_size)
{
    snprintf(reason_r, reason_size, "webhooks: out of memory");
    struct webhooks *webhooks = aligned_alloc(_Alignof(struct webhooks), sizeof *webhooks);
    if (webhooks == NULL) return RC_ENOMEM;
    memset(webhooks, 0, sizeof *webhooks);
    webhooks->config = webhooks->offered = config;
    webhooks->options = config->options;
    webhooks->senders_count = senders;
    enum rc rc = RC_OK;
    if (has_webhooks(&config->options->app)) {
        rc = make_parts(webhooks, reason_r, reason_size);
        if (rc == RC_OK) rc = start_thread(webhooks, reason_r, reason_size);
    }
    if (rc == RC_OK) {
        *webhooks_r = webhooks;
        return RC_OK;
    }
    webhooks_free(webhooks);
    return rc;
}

void webhooks_stop(struct webhooks *webhooks)
{
    if (webhooks != NULL) worker_stop(&webhooks->worker);
}

void webhooks_free(struct webhooks *webhooks)
{
    if (webhooks == NULL) return;
    webhook_post_free(webhooks->post);
    webhook_queue_free(webhooks->queue);
    for (uint32_t i = 0; webhooks->senders != NULL && i < webhooks->senders_count; i++) {
        mailbox_free(webhooks->senders[i].mailbox);
    }
    free(webhooks->senders);
    worker_fini(&webhooks->worker);
    if (webhooks->has_curl) curl_global_cleanup();
    free(webhooks);
}

const char *webhooks_library(void)
{
    return curl_version();
}
