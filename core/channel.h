/* core/channel.h - one channel as one shard sees it: its local subscribers, and what arrived for them this turn.
 *
 * Every channel has one home, the shard that its name's hash chooses. There the same struct also says which other
 * shards have subscribers. A shard that is not the home joins with its first subscriber and leaves with the last.
 * Threads:   one shard.
 * Ownership: the hub owns channels (core/hub.h); a connection owns its subscriptions and takes them out before it
 *            goes; a message kept is one reference.
 * Memory:    12 bytes for each subscriber, dense, so that a fan-out walks an array of slots. */
#pragma once

#include "core/name.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

#define SHARDS_MAX 256

struct channel;
struct counters;
struct message;

/* One connection's place in one channel. */
struct subscription {
    struct channel *channel;
    uint32_t slot;     /* of the connection */
    uint32_t position; /* in channel->slots */
};

struct channel {
    struct name name; /* text stands behind the struct */
    uint32_t home;    /* index of the home shard */

    uint32_t *slots;                     /* the subscribers' connections: all that a fan-out reads */
    struct subscription **subscriptions; /* the same places, for what is not a fan-out */
    uint32_t count;
    uint32_t capacity;

    bool is_joined;       /* deliveries from the home are ours from here on; always true at home */
    uint32_t join_serial; /* of our last SUBSCRIBE; an answer to an earlier one does not count */

    struct message **arrived; /* this turn's messages, in the channel's order, not yet in outboxes */
    uint32_t arrived_count;
    uint32_t arrived_capacity;

    uint64_t interested[SHARDS_MAX / 64]; /* home: other shards with subscribers, one bit each */
    uint32_t interested_count;

    struct channel *next; /* in the hub's table */
};

/* RC_ENOMEM: not subscribed. */
enum rc channel_subscribe(struct channel *channel, struct subscription *subscription, uint32_t slot);
/* Constant time; the last subscriber takes the free place. */
void channel_unsubscribe(struct channel *channel, struct subscription *subscription);

/* Keeps a message for the fan-out at the end of the turn. RC_ENOMEM: not taken. */
enum rc channel_arrive(struct channel *channel, struct message *message);
/* Forgets the messages kept, whose references are the caller's again; the memory of a rare burst is given back. */
void channel_forget_arrived(struct channel *channel);

/* Home: does that other shard want the channel's messages? */
void channel_set_interested(struct channel *channel, uint32_t shard, bool is_interested);

/* Home: the next interested shard from `shard` on; SHARDS_MAX when there is none. */
uint32_t channel_next_interested(const struct channel *channel, uint32_t shard);
