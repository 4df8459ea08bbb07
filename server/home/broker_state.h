/* server/home/broker_state.h - what a home knows of a channel that it reads from the cluster. Its life is in
 * server/home/broker.h, which says what holds for all of it.
 *
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct join;
struct roster;

enum broker_state {
    BROKER_OUT,      /* nothing is told of it; about to go, or a failure is being told */
    BROKER_ENTERING, /* it has been asked for */
    BROKER_IN,       /* what comes is told */
};

/* Has it a place in its history that clients can be told? */
enum broker_position {
    BROKER_POSITION_UNASKED, /* only if it had one when it was entered, or has got one since */
    BROKER_POSITION_ASKED,
    BROKER_POSITION_ANSWERED,
};

/* Who wants in, and needs the answer that is under way. */
struct broker_wait {
    struct broker_wait *next;
    struct join *join;
};

struct broker {
    struct roster *roster;
    enum broker_state state : 8;
    enum broker_position position : 8;
    bool is_failing; /* those who waited are being told: */
    bool is_leaver;  /* in the shard's list of those that could not be left yet */
    enum rc rc;      /* why */
    uint32_t serial; /* of the ENTER that holds: events of another are dropped */
    uint32_t jobs;   /* under way, for whose sake it stays */
    struct broker_wait *waiting;
    struct broker_wait **waiting_end;
    TAILQ_ENTRY(broker) leaver;
};
