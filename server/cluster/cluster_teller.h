/* server/cluster/cluster_teller.h - what the table of channels tells (server/cluster/cluster_channel.h), as answers
 * to jobs that wait, and as events.
 *
 * Ownership: a job is the asker's again when `done` is called with it, an event the receiver's of `event`.
 * Threads: the table's. */
#pragma once

#include "server/cluster/cluster_channel.h"

struct cluster_event;
struct cluster_job;

struct cluster_teller {
    uint64_t node; /* this node's number, in tokens */
    struct counters *counters;
    void (*done)(void *self, struct cluster_job *job);
    void (*event)(void *self, struct cluster_event *event);
    /* A message of this node, with this number in its token, has come back, and its home has been told. */
    void (*came_back)(void *self, const struct name *name, uint64_t number);
    void *self; /* the first argument of these */
    /* There was no memory for an event: the connection with subscriptions has to end, for then a loss is told. Whoever
     * ends it sets this to false. */
    bool is_short;
};

/* A cluster_tell; self is the teller. */
void cluster_teller_tell(void *self, struct cluster_channel *channel, const struct cluster_told *told);
/* An entrance waits for its answer, behind others of its channel. */
void cluster_teller_wait(struct cluster_channel *channel, struct cluster_job *job);
