/* server/home/home_cluster.h - what comes from the cluster (server/cluster/cluster.h): answers, and what is published
 * on any node to a channel that is read here. Their life is in server/home/broker.h.
 *
 * Threads: the home shard. */
#pragma once

struct shard;

/* Once a turn. While deliveries wait for room in mailboxes, what comes stays where it is. */
void home_take_cluster(struct shard *shard);
