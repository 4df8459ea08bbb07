/* server/home/broker_job.h - a job at the cluster, with all that its answer concerns.
 *
 * Threads:   the home shard.
 * Ownership: the shard's while it is under way (shard->home.cluster_jobs); then whoever takes the answer. */
#pragma once

#include "core/rc.h"
#include "server/cluster/cluster_job.h"
#include "server/config/app.h"
#include "server/config/history_rule.h"

struct broker;
struct join;
struct query;
struct shard;

/* Fills in the query's answer from what the cluster has answered, which it only borrows. */
typedef enum rc broker_page_reader(struct query *query, const struct cluster_job *job);

struct broker_job {
    struct cluster_job job;   /* first: the one is the other */
    struct history_rule rule; /* as it was when the job was made, for the cluster; of its texts nothing is used */
    char app[APP_TOKEN_BYTES_MAX + 1]; /* its id */
    struct broker *broker;             /* ENTER, LEAVE, READ for who resumes: stays meanwhile */
    struct query *query;               /* PUBLISH: who waits; READ: whose page it is */
    broker_page_reader *page;          /* which this writes */
    struct join *join;                 /* READ: who resumes */
};

/* `channel` lives until the job is back; `rule` is copied, and may be NULL. NULL: out of memory. */
struct broker_job *broker_job_new(struct shard *shard, enum cluster_kind kind, const struct name *channel,
                                  const struct history_rule *rule);
/* RC_OK: it is under way. Otherwise it is given back, but for query, join and message, which stay the caller's. */
enum rc broker_job_ask(struct shard *shard, struct broker_job *job);
/* It has come back. */
void broker_job_done(struct shard *shard, struct broker_job *job);
/* With its message and what the answer holds. */
void broker_job_free(struct shard *shard, struct broker_job *job);
/* The shard ends, the cluster has stopped: gives up what it was asked. */
void broker_job_end(struct shard *shard);
