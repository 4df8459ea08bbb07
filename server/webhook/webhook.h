/* server/webhook/webhook.h - tells backends what happens in their channels:
 * signed POST requests from a thread of its own.
 *
 * Threads:   one webhook thread, with libcurl; any number of senders, each of which is one thread and has a number.
 *            A sender never waits: its events go through a lock-free queue of its own (CK ring, SPSC). Without an app
 *            that wants webhooks there is no thread and all of this costs nothing.
 * Order:     events of one sender and app are posted in order, one request after the other, but for retries: one that
 *            fails is tried again with growing pauses for webhook_retry_ms_max, and later ones do not wait for it.
 *            Whatever comes while a request is under way shares the next one, if webhook_batch_ms is not 0.
 * Delay:     channel_vacated and member_removed wait for webhook_delay_ms; when the channel is occupied, the member
 *            added again within that time, neither of the two events is sent.
 * Bounds:    WEBHOOK_SENDER_EVENTS in a sender's queue and webhook_events_max events for each app, waiting or under
 *            way: further ones are dropped and counted, and the log says so. A receiver that is dead or slow costs
 *            nobody else anything. Of each app at most WEBHOOK_APP_REQUESTS_MAX requests are under way, and as many
 *            descriptors in use.
 * Signature: X-Pusher-Key, and X-Pusher-Signature: the HMAC-SHA-256 of the body's exact bytes with the app's secret.
 * Network:   http_proxy, https_proxy and no_proxy in the environment hold as curl understands them, but not for this
 *            machine, which no proxy stands before; certificates are checked against those that the system trusts. */
#pragma once

#include "core/counters.h"
#include "core/rc.h"
#include "server/config/config.h"
#include "server/config/options.h"
#include "server/webhook/webhook_event.h"

#include <stdbool.h>
#include <stdint.h>

#define WEBHOOK_SENDER_EVENTS 8192 /* a power of two; one less fits */

struct webhooks;

/* Starts the thread. Senders have the numbers 0 to senders - 1. It holds the configuration, until webhooks_stop() or
 * until it has taken the next. RC_ENOMEM or RC_EKERNEL: nothing is left, reason_r says why. */
enum rc webhooks_start(struct webhooks **webhooks_r, struct config *config, uint32_t senders, char *reason_r,
                       size_t reason_size);
/* Main thread, before a configuration is published: the thread takes it, which has been counted as a holder. Events
 * that wait, requests that are to be tried again, and senders stay. */
void webhooks_offer(struct webhooks *webhooks, struct config *config);
/* Senders have stopped. Posts what waits, delayed events too, for at most webhook_stop_ms_max; then ends the thread.
 * What is left counts as dropped; the counters can be read until webhooks_free(). Accepts NULL. */
void webhooks_stop(struct webhooks *webhooks);
/* After webhooks_stop(). Accepts NULL. */
void webhooks_free(struct webhooks *webhooks);

/* Sender. Queues the event of this app if it wants this kind. False: it is dropped, the queue is full or memory is
 * short. */
bool webhooks_tell(struct webhooks *webhooks, uint32_t sender, const struct app *app,
                   const struct webhook_event *event);
/* Sender, once a turn: wakes the thread if this sender has told it something since. Costs a system call only if the
 * thread sleeps. */
void webhooks_wake(struct webhooks *webhooks, uint32_t sender);

/* Any thread: what the webhook thread counts. */
const struct counters *webhooks_counters(const struct webhooks *webhooks);
/* libcurl and what it is built with, "libcurl/7.88.1 OpenSSL/3.0 ..."; static. Main thread. */
const char *webhooks_library(void);
