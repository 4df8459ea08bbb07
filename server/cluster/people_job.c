/* server/cluster/people_job.c - a job and its texts in one block. */
#include "server/cluster/people_job.h"

#include <stdlib.h>

struct people_job *people_job_new(const struct people_job *as)
{
    size_t bytes = as->name.length + as->app.count + as->user_id.count + as->info.count;
    struct people_job *job = malloc(sizeof *job + bytes);
    if (job == NULL) return NULL;
    *job = *as;
    char *to = (char *)(job + 1);
    job->name.text = text_copy(&to, name_text(&as->name)).at;
    job->job.channel = &job->name;
    job->app = text_copy(&to, as->app);
    job->user_id = text_copy(&to, as->user_id);
    job->info = text_copy(&to, as->info);
    job->job.item.kind = CLUSTER_PEOPLE;
    return job;
}
