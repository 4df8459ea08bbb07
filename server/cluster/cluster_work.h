/* server/cluster/cluster_work.h - what the cluster's thread does: jobs of homes to Redis, and what comes from there to
 * homes. Knows no shards and no queues.
 *
 * Threads:   one, but for what says otherwise.
 * Ownership: a job is its asker's again, and an event the receiver's, when `put` is called with it. */
#pragma once

#include "core/rc.h"
#include "server/cluster/redis_link.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

struct cluster_item;
struct cluster_job;
struct cluster_status;
struct cluster_work;
struct counters;

#define WORK_ENTER_MS 5000 /* how long an entrance waits for Redis */

struct cluster_work_settings {
    const struct redis_url *url; /* copied */
    struct redis_target target;
    const char *prefix; /* outlives it, as does: */
    const char *rules;  /* server/cluster/cluster_rules.h */
    uint64_t queue_bytes_max;
    uint64_t publish_ms_max;
    uint64_t silent_ms_max;
    uint64_t gap_bytes_max; /* what is read at once to fill a gap */
    uint64_t lease_ms;
    bool is_durable; /* what is kept should outlive Redis' end */
    uint32_t replicas;
    void (*put)(void *self, struct cluster_item *item);
    void *self;
};

/* NULL: out of memory. `counters` is the thread's. */
struct cluster_work *cluster_work_new(const struct cluster_work_settings *settings, struct counters *counters);
/* Accepts NULL. cluster_work_end() came before. */
void cluster_work_free(struct cluster_work *work);

void cluster_work_take(struct cluster_work *work, struct cluster_job *job, uint64_t now_ms);

void cluster_work_poll(const struct cluster_work *work, struct pollfd fds[2]);
uint64_t cluster_work_due_ms(const struct cluster_work *work, uint64_t now_ms);
/* A round: what has come, then what is to be sent. */
void cluster_work_run(struct cluster_work *work, const struct pollfd fds[2], uint64_t now_ms);
/* Homes do not keep up: pushes are not read until it is called with false. */
void cluster_work_pause(struct cluster_work *work, bool is_paused);
/* No jobs come any more: this node's people are taken out of Redis. */
void cluster_work_stop(struct cluster_work *work);
/* Is something left of that, or of what was published, that can still be done? */
bool cluster_work_is_busy(const struct cluster_work *work);
/* All jobs come back, and the connections end. */
void cluster_work_end(struct cluster_work *work, uint64_t now_ms);

/* Any thread. NULL: all is well; static. */
const char *cluster_work_trouble(const struct cluster_work *work);
/* Any thread. A few hundredths of a second old. */
void cluster_work_status(struct cluster_work *work, struct cluster_status *status_r);
