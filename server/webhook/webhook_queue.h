/* server/webhook/webhook_queue.h - which events go into which request, and when: delays, cancellation, batches, bounds.
 *
 * An event rests in one of three places until it is done: delayed (channel_vacated and member_removed), waiting for
 * its app's next request, or in a request. Knows neither sockets nor clocks: time is passed in.
 * Threads:   one.
 * Ownership: events and requests are the queue's; a request is lent out from webhook_queue_take() to
 *            webhook_queue_done().
 * Bounds:    webhook_events_max of each app, over the three places. A request carries WEBHOOK_REQUEST_EVENTS_MAX
 *            events at most, and several only as far as WEBHOOK_BODY_BYTES_MAX are enough for its body. */
#pragma once

#include "core/counters.h"
#include "core/rc.h"
#include "core/timer_wheel.h"
#include "server/webhook/webhook_item.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WEBHOOK_REQUEST_EVENTS_MAX = 100,
    WEBHOOK_BODY_BYTES_MAX = 256 * 1024,
};

struct curl_slist;
struct options;
struct webhook_queue;

struct webhook_request {
    uint16_t app; /* its index */
    uint32_t events;
    size_t body_bytes;
    /* What follows is for server/webhook/webhook_post.c alone: */
    struct webhook_request *next; /* of those that are due again */
    struct timer retry;
    struct curl_slist *headers;
    uint64_t first_try_ms;
    uint32_t tries;
    char body[]; /* {"time_ms":1700000000123,"events":[...]}, no zero behind it */
};

/* The options stay unchanged until others are taken. NULL: out of memory. */
struct webhook_queue *webhook_queue_new(const struct options *options, struct counters *counters);
/* Goes by these from now on; they have the apps that those before had, at their indexes. */
void webhook_queue_take_options(struct webhook_queue *queue, const struct options *options);
/* No request is lent out. What is left counts as dropped. Accepts NULL. */
void webhook_queue_free(struct webhook_queue *queue);

/* Takes over the item. Two events that cancel each other go away here, and one that the app does not want does only
 * that. RC_EFULL: dropped and counted, the app holds webhook_events_max. */
enum rc webhook_queue_add(struct webhook_queue *queue, struct webhook_item *item, uint64_t now_ms);
/* Events whose delay is over now wait for a request. */
void webhook_queue_end_delays(struct webhook_queue *queue, uint64_t now_ms);
/* The server stops: from now on nothing is delayed and no request waits to become fuller. */
void webhook_queue_flush(struct webhook_queue *queue, uint64_t now_ms);

/* The next request of an app, with `wall_ms` as its time_ms; NULL: nothing is ready. */
struct webhook_request *webhook_queue_take(struct webhook_queue *queue, uint32_t app, uint64_t now_ms,
                                           uint64_t wall_ms);
/* Ends a request of webhook_queue_take(): its events were sent, or are dropped and counted so. */
void webhook_queue_done(struct webhook_queue *queue, struct webhook_request *request, bool is_sent);

/* When webhook_queue_take() has something for this app, if nothing else is added; UINT64_MAX: never. */
uint64_t webhook_queue_ready_at_ms(const struct webhook_queue *queue, uint32_t app);
/* When webhook_queue_end_delays() has something to do; UINT64_MAX: never. */
uint64_t webhook_queue_delay_ends_at_ms(const struct webhook_queue *queue);
/* How many events of the app are in any of the three places. */
uint32_t webhook_queue_held(const struct webhook_queue *queue, uint32_t app);
