/* server/home/broker.h - a channel's home, where there are other nodes (server/cluster/cluster.h): it reads the channel
 * from the cluster while somebody on this node is in it.
 *
 * The first reader enters the channel, and waits as whoever comes meanwhile; the last leaves it. What is published goes
 * to the cluster (server/home/broker_publish.h) and comes back as what other nodes publish does, in one order for all:
 * server/home/home_cluster.h hands it out. So the home gives no offsets, and its store is not used; the window is what
 * came since the channel was entered, and what stands before it the cluster has (server/home/broker_read.h).
 * Without other nodes shard->cluster is NULL and nothing here is called.
 * Threads:   the home shard.
 * Ownership: the roster's, from its first reader until it has been left. Jobs at the cluster are the shard's.
 * Bounds:    a struct for each channel with readers; who waits is a connection each. Messages on their way to the
 *            cluster count as those that wait for the store do: store_jobs_max, store_bytes_max. */
#pragma once

#include "core/rc.h"

struct broker_job;
struct join;
struct roster;
struct shard;

/* Somebody wants in. RC_OK: the channel is entered, and has a position if the join asks for one and there can be one.
 * RC_PENDING: the join waits, and was taken over. RC_ECLUSTER, RC_ENOMEM: it cannot be entered. */
enum rc broker_enter(struct shard *shard, struct roster *roster, struct join *join);
/* Somebody has left, or did not come in: is the channel still to be read? What was known of it is forgotten if not. */
void broker_look(struct shard *shard, struct roster *roster);

/* Once a turn: leaves what could not be left before. */
void broker_leave_again(struct shard *shard);
/* A CLUSTER_ENTER or CLUSTER_LEAVE is answered. Takes over the job. */
void broker_entered(struct shard *shard, struct broker_job *job);
void broker_left(struct shard *shard, struct broker_job *job);

/* The shard ends, and the jobs are given up: so is what waits in this roster. */
void broker_free(struct shard *shard, struct roster *roster);
