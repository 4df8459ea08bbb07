/* server/webhook/webhook_post.h - posts requests with libcurl: connections, signatures, timeouts, tries and pauses.
 *
 * Of each app one new request at a time is under way, so that a receiver gets events in their order and a slow one
 * fuller requests instead of more of them. A request that fails leaves that place, pauses, and is tried again beside
 * it. Redirects are not followed; of an answer only the status counts, the rest is thrown away.
 * Threads:   one; host names are resolved by threads that libcurl makes.
 * Ownership: requests are the queue's, and go back with webhook_queue_done() once sent or given up.
 * Bounds:    WEBHOOK_APP_REQUESTS_MAX requests of an app under way, each for at most WEBHOOK_TRY_MS_MAX; as many
 *            connections are kept for reuse. The queue bounds the requests that pause. */
#pragma once

#include "core/counters.h"
#include "core/rc.h"
#include "server/webhook/webhook_queue.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    WEBHOOK_APP_REQUESTS_MAX = 4, /* one new, the others tried again */
    WEBHOOK_CONNECT_MS_MAX = 5000,
    WEBHOOK_TRY_MS_MAX = 10000, /* with the connect */
    WEBHOOK_ANSWER_BYTES_MAX = 64 * 1024,
};

struct options;
struct webhook_post;

/* `queue` is where requests go back to; it and the options outlive the new object. curl_global_init() comes before.
 * NULL: out of memory. */
struct webhook_post *webhook_post_new(const struct options *options, struct webhook_queue *queue,
                                      struct counters *counters, uint64_t now_ms);
/* Goes by these from now on, also with what is tried again; they have the apps that those before had. */
void webhook_post_take_options(struct webhook_post *post, const struct options *options);
/* Gives up what is under way or pauses. Accepts NULL. */
void webhook_post_free(struct webhook_post *post);

/* May a new request of this app begin? */
bool webhook_post_has_room(const struct webhook_post *post, uint32_t app);
/* Begins a request of an app that has room. */
void webhook_post_begin(struct webhook_post *post, struct webhook_request *request, uint64_t now_ms);
/* Goes on with everything: bytes in and out, answers, tries that are due. */
void webhook_post_run(struct webhook_post *post, uint64_t now_ms);
/* The server stops: requests that pause are due now. */
void webhook_post_hurry(struct webhook_post *post, uint64_t now_ms);

/* Sleeps until a connection or the descriptor has something, or wake_at_ms. */
void webhook_post_sleep(struct webhook_post *post, int descriptor, uint64_t now_ms, uint64_t wake_at_ms);

/* The pause after the `tries`th try failed, 1 for the first: one second, doubled with each, up to a minute; `chance`
 * shortens it by up to half, so that requests that failed together are not tried again together. */
uint32_t webhook_pause_ms(uint32_t tries, uint32_t chance);
