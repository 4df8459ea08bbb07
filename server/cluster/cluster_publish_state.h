/* server/cluster/cluster_publish_state.h - what cluster_publish.c, which has the queues, and cluster_publish_call.c,
 * which makes the calls, share. */
#pragma once

#include "server/cluster/cluster_key.h"
#include "server/cluster/cluster_publish_settings.h"
#include "server/cluster/cluster_queue.h"
#include "server/cluster/script_call.h"

struct job_list {
    struct cluster_job *first;
    struct cluster_job **end;
};

struct cluster_publish {
    struct cluster_publish_settings settings;
    struct counters *counters;
    struct cluster_queues queues;
    struct job_list held;   /* answered, not confirmed */
    struct job_list behind; /* without frames: wait for what was published before */
    uint64_t bytes;         /* of records */
    uint64_t jobs;
    uint64_t number; /* of the last message of this node */
    uint64_t generation;

    /* The call that was made last: */
    struct script_call call;
    struct script_record records[SCRIPT_RECORDS_MAX];
    char stream[CLUSTER_KEY_BYTES_MAX], pushes[CLUSTER_KEY_BYTES_MAX], last[CLUSTER_KEY_BYTES_MAX];
    char receipts[SCRIPT_RECORDS_MAX][CLUSTER_KEY_BYTES_MAX];
    char look_from[STREAM_ID_BYTES_MAX];
    struct text plain[3];
    char *scratch;
    size_t scratch_bytes;
};
