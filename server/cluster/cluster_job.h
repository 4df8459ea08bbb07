/* server/cluster/cluster_job.h - what a home asks of the cluster, and what it is told.
 *
 * Both come through one queue for each shard, in the order in which they happened: what is told of a channel behind the
 * answer to its CLUSTER_ENTER goes on where that answer stands.
 * Ownership: a job is its asker's all the time, and the cluster's to read and write from cluster_ask() until
 *            cluster_receive() has returned it. What the cluster tells unasked is an event: the receiver's, which gives
 *            it back by cluster_event_free().
 * Threads:   whoever has it. */
#pragma once

#include "core/position.h"
#include "core/rc.h"
#include "core/receipts.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct counters;
struct history_rule;
struct message;
struct name;

enum cluster_kind {
    /* Asked, and comes back: */
    CLUSTER_PUBLISH, /* put this message in order, for all nodes */
    CLUSTER_ENTER,   /* this node has readers of the channel: tell what comes. Asked again: make it have a position */
    CLUSTER_LEAVE,   /* it has none any more */
    CLUSTER_READ,    /* what was kept */
    CLUSTER_PEOPLE,  /* members, numbers of subscribers, questions of backends: server/cluster/people_job.h */
    /* Told unasked: */
    CLUSTER_MESSAGES,    /* the next messages of a channel, in their order */
    CLUSTER_LOST,        /* what was known of it is over: it goes on at another position */
    CLUSTER_PEOPLE_TOLD, /* of members, numbers and users: server/cluster/people_event.h; free() gives it back */
};

struct cluster_item { /* jobs and events both begin with it */
    enum cluster_kind kind;
    uint32_t shard; /* the home */
    struct cluster_item *next;
};

struct cluster_job {
    struct cluster_item item;        /* first */
    TAILQ_ENTRY(cluster_job) entry;  /* the asker's */
    const char *app;                 /* its id; the channel is that app's. This and the next two live */
    const struct name *channel;      /* until the job is back */
    const struct history_rule *rule; /* NULL: the channel keeps no history */
    uint32_t serial;                 /* ENTER: comes with each event of the channel until it is left */
    enum rc rc;                      /* the answer: RC_OK; RC_ECLUSTER, RC_EFULL, RC_ENOMEM: it is not done */

    struct message *message; /* PUBLISH: one reference, the asker's; without frames: nothing is published, but the
                              * answer comes behind what this node published before, and has been told of it */
    bool is_for_history;     /* PUBLISH: it is kept, and gets a place */
    uint64_t
        cache_ms; /* PUBLISH: > 0: it is kept so long as the channel's last event; ENTER's answer: so much of that
                        * is left */
    char key[RECEIPT_KEY_BYTES_MAX + 1]; /* PUBLISH: "": none */
    bool is_repeat; /* PUBLISH's answer: it was published before with this key, at that position */

    bool needs_position; /* ENTER: somebody asks for it, so there must be one */
    struct position
        position;         /* the answer. PUBLISH: the message's; ENTER: up to where the home has been told; READ: of
                               * the newest that is kept. Not set: there is none */
    struct message *kept; /* ENTER's answer: a cache channel's last event; the asker's reference; NULL: none */

    struct position from; /* READ: those behind this offset; all, if its epoch is set and is not the one there */
    uint64_t before;      /* READ: and before this one; UINT64_MAX: to the end */
    uint32_t count_max;
    uint64_t bytes_max;        /* at least one message, though */
    bool is_from_end;          /* the newest of these, else the oldest */
    bool is_all_or_nothing;    /* no messages unless all of these are there and within the bounds */
    struct message **messages; /* READ's answer, the asker's; NULL: none */
    uint32_t messages_count;
    uint64_t first; /* READ's answer: the oldest that is kept; behind the newest: none is */

    uint64_t asked_ms; /* this and the rest are the cluster's */
    uint64_t number;   /* of the message among this node's; 0: it has none yet */
    uint64_t record_bytes;
};

struct cluster_event {
    struct cluster_item item;   /* first */
    const struct name *channel; /* a copy, the event's */
    uint32_t serial;            /* of the ENTER since which it comes */
    struct position position; /* MESSAGES: of the last that has a place; LOST: what the channel goes on from; not set:
                                 * it has none */
    struct message **messages; /* MESSAGES; the event's references */
    uint32_t messages_count;
    uint64_t bytes; /* what it takes; the cluster's */
};

/* Drops what the answer holds. */
void cluster_job_fini(struct counters *counters, struct cluster_job *job);
/* An event of this channel, of which it gets a copy; the rest is zero. NULL: out of memory. */
struct cluster_event *cluster_event_new(enum cluster_kind kind, const struct name *channel, uint32_t serial);
/* Accepts NULL. */
void cluster_event_free(struct counters *counters, struct cluster_event *event);
