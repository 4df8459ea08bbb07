/* server/home/home_people_job.c - jobs about people, on their way or waiting for room. */
#include "server/home/home_people_job.h"

#include "core/query.h"
#include "server/cluster/cluster.h"
#include "server/config/app.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdlib.h>

bool home_people_put(struct shard *shard, struct people_job *as)
{
    struct people_job *job;
    as->app = text_of(shard_app(shard, as->name.app)->id);
    as->job.item = (struct cluster_item){.kind = CLUSTER_PEOPLE, .shard = shard->index};
    if ((job = people_job_new(as)) == NULL) return false;
    TAILQ_INSERT_TAIL(&shard->home.people_waiting, &job->job, entry);
    home_people_run(shard);
    return true;
}

void home_people_run(struct shard *shard)
{
    struct cluster_job *job;
    while ((job = TAILQ_FIRST(&shard->home.people_waiting)) != NULL) {
        if (cluster_ask(shard->cluster, shard->index, job) != RC_OK) return;
        TAILQ_REMOVE(&shard->home.people_waiting, job, entry);
        TAILQ_INSERT_TAIL(&shard->home.people_asked, job, entry);
    }
}

static void drop(struct shard *shard, struct cluster_job *job)
{
    query_free(&shard->counters, ((struct people_job *)job)->query);
    free(job);
}

void home_people_end(struct shard *shard)
{
    struct cluster_job *job;
    assert(owner_is_me(&shard->owner));
    TAILQ_CONCAT(&shard->home.people_asked, &shard->home.people_waiting, entry);
    while ((job = TAILQ_FIRST(&shard->home.people_asked)) != NULL) {
        TAILQ_REMOVE(&shard->home.people_asked, job, entry);
        drop(shard, job);
    }
}

enum rc home_people_ask(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    struct people_job job = {.wish = PEOPLE_QUERY, .name = query->name, .query = query};
    return home_people_put(shard, &job) ? RC_PENDING : RC_ENOMEM;
}
