/* core/roster.h - what a channel's home knows of it: who subscribes on which shard, its members, its last event.
 *
 * Threads:   the home shard.
 * Ownership: the channel's, made and freed with it by the hub. The event kept is one reference, and the joins that wait
 *            are the roster's: both are given up before the channel goes.
 * Cost:      counts are kept, never counted. */
#pragma once

#include "core/channel_type.h"
#include "core/form.h"
#include "core/rc.h"
#include "core/timer_wheel.h"
#include "core/traffic.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct broker;
struct channel;
struct channel_log;
struct history_rule;
struct home_people;
struct join;
struct message;
struct presence;

/* A shard that has subscribers. */
struct interest {
    uint32_t shard;
    uint32_t counts[FORMS_MAX];
};

struct roster {
    struct channel *channel;
    struct channel_type type;   /* of its name */
    struct interest *interests; /* in the order they came */
    uint32_t interests_count;
    uint32_t interests_capacity;
    uint32_t counts[FORMS_MAX]; /* over all shards */

    struct presence *presence; /* NULL: nobody has joined as a member */
    struct join *joiners;      /* who joined in this turn and is told at its end; the latest first */

    struct message *kept;           /* a cache channel's last event; NULL: none */
    uint64_t kept_until_ms;         /* then it is forgotten */
    TAILQ_ENTRY(roster) kept_entry; /* in its shard's list, oldest first */
    bool is_miss_told;              /* backends know that it has none */

    const struct history_rule *rule; /* of its history; NULL: it keeps none */
    struct channel_log *log;         /* its history (server/home/channel_log.h); NULL: not in use */
    uint64_t log_due_ms;             /* when that has something to do, as it says; UINT64_MAX: never */

    struct broker *broker; /* its place at the cluster (server/home/broker.h); NULL: it is not read from there */

    struct home_people *people; /* over all nodes (server/home/home_people.h); NULL: there is no other node */

    struct traffic traffic; /* what is published in it */

    uint64_t invited_ms; /* a guest's channel: since when it was invited */
    uint32_t invited;    /* so often */

    bool is_settling;       /* in the shard's list of rosters to settle this turn */
    bool has_count_changed; /* since subscribers were last told */
    uint64_t told_ms;       /* when that was */
    struct timer timer;     /* forget what is kept, tell a count that had to wait, run the log */
};

/* The channel has its name. NULL: out of memory. */
struct roster *roster_new(struct channel *channel);
/* Nothing is kept and nobody waits any more. Accepts NULL. */
void roster_free(struct roster *roster);

/* Counts one subscriber more on that shard. RC_ENOMEM: not counted. */
enum rc roster_add(struct roster *roster, uint32_t shard, enum form form);
/* Counts one subscriber less on that shard. One who is not counted is our own bug. */
void roster_remove(struct roster *roster, uint32_t shard, enum form form);

/* Subscribers that count as such: all but watchers. */
uint32_t roster_subscribers(const struct roster *roster);
/* Has that shard a reader for any form of this message? */
bool interest_wants(const struct interest *interest, const struct message *message);

/* Does the channel have to stay for its roster's sake? */
bool roster_is_needed(const struct roster *roster);
