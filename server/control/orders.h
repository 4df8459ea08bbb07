/* server/control/orders.h - what the control shard has the main thread do, which alone can: one order at a time.
 *
 * Threads:   orders_ask() and orders_look() are the control shard's, the others the main thread's. They meet in
 *            `state`; the rest belongs to whose turn it is.
 * Waking:    the main thread waits for signals; ORDER_SIGNAL is one of them, and means that there may be an order. The
 *            shard is woken by its signal descriptor.
 * An order is carried out also when whoever gave it has gone meanwhile. */
#pragma once

#include "server/connection/errand.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#define ORDER_SIGNAL SIGRTMIN

struct shard;

enum order {
    ORDER_NONE,
    ORDER_DRAIN,
    ORDER_STOP,
    ORDER_CERTIFICATES, /* tell of them */
    ORDER_RELOAD,
};

struct orders {
    struct errand errand; /* of the connection that waits */
    struct shard *shard;  /* the control shard */
    uint32_t state;       /* atomic: enum order_state, in the .c */
    enum order order;
    uint32_t slot; /* of the connection that waits; or nobody does any more: */
    bool is_abandoned;
    unsigned status; /* of the answer */
    char *answer;    /* JSON, or of another status than 200 a sentence; NULL: there was no memory for it */
};

/* Gives the order for this connection, whose answer follows; or refuses it while another is carried out. */
void orders_ask(struct shard *shard, struct connection *connection, enum order order);
/* Once a turn: answers what is done. */
void orders_look(struct shard *shard);

/* The order that is to be carried out now; ORDER_NONE: there is none. */
enum order orders_take(struct orders *orders);
/* It is, or is about to be; takes over the answer, from malloc(). */
void orders_done(struct orders *orders, char *answer);
/* It cannot be; takes over the sentence, from malloc(), that says why. */
void orders_refuse(struct orders *orders, char *sentence);
/* Waits a moment until the answer is on its way: what comes next may end the shard. */
void orders_await_told(struct orders *orders);
/* The shard has ended. */
void orders_fini(struct orders *orders);
