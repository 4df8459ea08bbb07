/* server/home/broker_publish.h - what is published, to the cluster. Its life is in server/home/broker.h, which says
 * what holds for all of it.
 *
 * The answer is for whoever waits; the message's readers, here as elsewhere, get it as it comes back. Backends hear of
 * it from this node alone. What nobody waits for and cannot be published is dropped and counted, and a client of
 * channels is told.
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"

struct broker_job;
struct history_rule;
struct message;
struct query;
struct shard;

/* As home_publish(); `rule`: by which its channel keeps the message; NULL: it does not. */
enum rc broker_publish(struct shard *shard, struct message *message, struct query *query,
                       const struct history_rule *rule);
/* A CLUSTER_PUBLISH is answered. Takes over the job. */
void broker_published(struct shard *shard, struct broker_job *job);
