/* server/home/broker_job.c - the life of a job. */
#include "server/home/broker_job.h"

#include "core/join.h"
#include "core/message.h"
#include "core/query.h"
#include "server/cluster/cluster.h"
#include "server/home/broker_state.h"
#include "server/home/channel_log_window.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct broker_job *broker_job_new(struct shard *shard, enum cluster_kind kind, const struct name *channel,
                                  const struct history_rule *rule)
{
    assert(owner_is_me(&shard->owner));
    struct broker_job *job = malloc(sizeof *job);
    if (job == NULL) return NULL;
    *job = (struct broker_job){.job = {.item = {.kind = kind, .shard = shard->index}, .channel = channel}};
    if (rule != NULL) {
        job->rule = *rule;
        job->job.rule = &job->rule;
    }
    snprintf(job->app, sizeof job->app, "%s", shard_app(shard, channel->app)->id);
    job->job.app = job->app;
    return job;
}

enum rc broker_job_ask(struct shard *shard, struct broker_job *job)
{
    assert(owner_is_me(&shard->owner));
    enum rc rc = cluster_ask(shard->cluster, shard->index, &job->job);
    if (rc != RC_OK) {
        free(job);
        return rc;
    }
    if (job->broker != NULL) job->broker->jobs++;
    if (job->job.message != NULL) channel_log_count_waiting(shard, job->job.message, true);
    TAILQ_INSERT_TAIL(&shard->home.cluster_jobs, &job->job, entry);
    return RC_OK;
}

void broker_job_done(struct shard *shard, struct broker_job *job)
{
    assert(owner_is_me(&shard->owner));
    TAILQ_REMOVE(&shard->home.cluster_jobs, &job->job, entry);
    if (job->broker != NULL) job->broker->jobs--;
    if (job->job.message != NULL) channel_log_count_waiting(shard, job->job.message, false);
}

void broker_job_free(struct shard *shard, struct broker_job *job)
{
    assert(owner_is_me(&shard->owner));
    cluster_job_fini(&shard->counters, &job->job);
    if (job->job.message != NULL) message_drop(&shard->counters, job->job.message);
    free(job);
}

void broker_job_end(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    while (!TAILQ_EMPTY(&shard->home.cluster_jobs)) {
        struct broker_job *job = (struct broker_job *)TAILQ_FIRST(&shard->home.cluster_jobs);
        broker_job_done(shard, job);
        query_free(&shard->counters, job->query);
        join_free(&shard->counters, job->join);
        broker_job_free(shard, job);
    }
}
