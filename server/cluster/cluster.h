/* server/cluster/cluster.h - the thread that connects this node with the others, through a Redis that all of them use.
 *
 * A home asks by jobs and goes on; the thread puts what all shards publish in order by Redis, for all nodes, and tells
 * the homes what comes in the channels that they have entered, their own messages among it. No shard ever speaks to
 * Redis or waits for it.
 * Threads:   the cluster's thread owns the connections. Each shard asks and receives through two lock-free queues of
 *            its own (CK ring, SPSC); the cluster wakes it by its signal descriptor, it wakes the cluster by
 *            cluster_wake().
 * Ownership: server/cluster/cluster_job.h.
 * Order:     answers and events come to a shard in the order in which they happened. What a shard publishes in one
 *            channel is put in the order in which it was asked.
 * Bounds:    a shard has at most store_jobs_max jobs that publish and as many others under way, else RC_EFULL; records
 *            that wait for Redis take at most redis_queue_bytes_max. A shard that takes nothing makes its events wait
 *            here, up to CLUSTER_EVENTS_BYTES_MAX; then nothing is read from Redis until it does, and what Redis
 *            drops meanwhile is read later from the channel's history.
 * Failure:   while Redis is away, what is published waits, each for at most redis_publish_ms_max, then it comes back
 *            with RC_ECLUSTER and is not done, now or later; but for one that was sent, whose answer was lost: that may
 *            have been done. The thread connects again by itself. cluster_trouble()
 *            says why meanwhile. An answer that was lost is asked for again, so that what was published is there
 *            once.
 */
#pragma once

#include "core/counters.h"
#include "core/rc.h"
#include "server/cluster/cluster_job.h"
#include "server/config/options.h"

#include <stddef.h>
#include <stdint.h>

#define CLUSTER_EVENTS_BYTES_MAX (16 * 1024 * 1024)

struct cluster;
struct cluster_status;

/* Makes the thread, which connects by itself. wake[i] is shard i's signal descriptor, an eventfd; the array is copied.
 * The options live until cluster_free(). RC_EINVAL: an option does not hold; RC_ENOMEM, RC_EKERNEL. reason_r (512 bytes
 * are enough) says what and the cure. */
enum rc cluster_start(struct cluster **cluster_r, const struct options *options, const int *wake, uint32_t shards,
                      char *reason_r, size_t reason_size);
/* Waits until the connections are up, so long at most. RC_OK, or RC_ECLUSTER and why they are not. */
enum rc cluster_await(const struct cluster *cluster, uint64_t ms, char *reason_r, size_t reason_size);
/* Shards have stopped. Sends what was asked for if that can be done at once, gives up the rest (RC_ECLUSTER), and ends
 * the thread; the answers can still be received. Accepts NULL. */
void cluster_stop(struct cluster *cluster);
/* After cluster_stop(). Accepts NULL. */
void cluster_free(struct cluster *cluster);

/* Shard. RC_OK, or RC_EFULL: not taken. */
enum rc cluster_ask(struct cluster *cluster, uint32_t shard, struct cluster_job *job);
/* Shard, once a turn: wakes the cluster if this shard has asked it something since. */
void cluster_wake(struct cluster *cluster, uint32_t shard);
/* Shard: the next answer or event; NULL: none. */
struct cluster_item *cluster_receive(struct cluster *cluster, uint32_t shard);

/* Any thread. NULL: all is well, or what is wrong and what helps; static. */
const char *cluster_trouble(const struct cluster *cluster);
void cluster_look(const struct cluster *cluster, struct cluster_status *status_r);
const struct counters *cluster_counters(const struct cluster *cluster);
