/* core/channel.h - one channel as one shard sees it: its local subscribers, and what arrived for them this turn.
 *
 * Every channel has one home, the shard that its name's hash chooses. There a roster (core/roster.h) stands beside it
 * and knows of the subscribers of all shards. A subscription waits for the home's word before it is among the
 * subscribers; from then on every message that reaches this shard is for it.
 * Threads:   one shard.
 * Ownership: the hub owns channels (core/hub.h); a connection owns its subscriptions and takes them out before it
 *            goes; a message kept is one reference.
 * Memory:    12 bytes for each subscriber, dense, so that a fan-out walks an array of slots. */
#pragma once

#include "core/form.h"
#include "core/name.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct channel;
struct join;
struct message;
struct roster;

/* One connection's place in one channel. */
struct subscription {
    struct channel *channel;
    struct subscription *next; /* of the same connection */
    struct join *join;         /* a member's: what its leaving tells the home; NULL: nothing but that it leaves */
    uint32_t slot;             /* of the connection */
    uint32_t position;         /* in its audience */
    uint32_t serial;           /* of the connection's shard: the home's answer names it */
    uint32_t watch_told;       /* FORM_WATCH: the channel's, when the home's answer came */
    enum form form : 8;
    bool is_pending : 1; /* the home has not answered yet */
    bool was_online : 1; /* FORM_WATCH: what the home's answer said */
};

/* The subscribers of one form. */
struct audience {
    uint32_t *slots;                     /* their connections: all that a fan-out reads */
    struct subscription **subscriptions; /* the same places, for what is not a fan-out */
    uint32_t count;
    uint32_t capacity;
};

struct channel {
    struct name name; /* text stands behind the struct */
    uint32_t home;    /* index of the home shard */
    uint32_t pending; /* subscriptions that wait for the home's answer */

    struct audience audiences[FORMS_MAX];
    uint32_t watch_told; /* FORM_WATCH messages that went to its audience: the user came, went, came ... */

    struct message **arrived; /* this turn's messages, in the channel's order, not yet in outboxes */
    uint32_t arrived_count;
    uint32_t arrived_capacity;

    struct roster *roster;         /* at home; NULL on all other shards */
    struct roster *roster_at_home; /* while there are subscribers: its name in letters, not to be looked into */
    struct channel *next;          /* in the hub's table */
};

/* Puts the subscription, whose form and slot are set, among the subscribers. RC_ENOMEM: it is not. */
enum rc channel_subscribe(struct channel *channel, struct subscription *subscription);
/* Constant time; the last subscriber takes the free place. */
void channel_unsubscribe(struct channel *channel, struct subscription *subscription);

/* Subscribers on this shard, of all forms. */
uint32_t channel_count(const struct channel *channel);
/* Has this shard a reader for any form of this message? */
bool channel_wants(const struct channel *channel, const struct message *message);

/* Keeps a message for the fan-out at the end of the turn. RC_ENOMEM: not taken. */
enum rc channel_arrive(struct channel *channel, struct message *message);
/* Forgets the messages kept, whose references are the caller's again; the memory of a rare burst is given back. */
void channel_forget_arrived(struct channel *channel);
