/* server/home/broker_read.h - what the cluster has kept of a channel: for who resumes, and for pages. Its life is in
 * server/home/broker.h, which says what holds for all of it.
 *
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"
#include "server/home/broker_job.h"

struct join;
struct query;
struct roster;
struct shard;

/* What a join needs before it can be answered: the channel entered, and what it missed that the window does not have.
 * RC_PENDING: it comes back, and was taken over. Otherwise as broker_enter(). */
enum rc broker_look_up(struct shard *shard, struct roster *roster, struct join *join);

/* Asks for the query's page. Takes over the query. RC_ECLUSTER, RC_ENOMEM: not taken. */
enum rc broker_read_page(struct shard *shard, struct query *query, broker_page_reader *page);

/* A CLUSTER_READ is answered. Takes over the job. */
void broker_was_read(struct shard *shard, struct broker_job *job);
