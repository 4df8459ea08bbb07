/* server/store/store_job.c - what an answer of the store brought along. */
#include "server/store/store_job.h"

#include "core/message.h"

#include <stdlib.h>

void store_job_fini(struct counters *counters, struct store_job *job)
{
    for (uint32_t i = 0; i < job->messages_count; i++) {
        message_drop(counters, job->messages[i]);
    }
    free(job->messages);
    free(job->keys);
    job->messages = NULL;
    job->keys = NULL;
    job->messages_count = job->keys_count = 0;
}
