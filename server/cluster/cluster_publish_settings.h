/* server/cluster/cluster_publish_settings.h - what server/cluster/cluster_publish.h is told at the start, and what it
 * has to send. */
#pragma once

#include "core/text.h"
#include "server/cluster/stream_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PUBLISH_BYTES_MAX   (64 * 1024) /* of records in a call, or one record */
#define PUBLISH_DEADLINE_MS 1000        /* from sending on */
#define PUBLISH_AGAIN_MS    100         /* what Redis does not do now is asked again */
#define PUBLISH_TOLD_MS     1000        /* a job without frames waits so long for what has not come back */

struct cluster_job;
struct cluster_queue;
struct name;

typedef void cluster_publish_done(void *self, struct cluster_job *job);
/* The epoch of the channel, as its readers know it; 0: nobody here reads it. */
typedef uint64_t cluster_publish_hint(void *self, const struct name *name);
/* Have those who read the channel here been told all up to this place? Also if there are none. Epoch 0: of a channel
 * without places, whether nobody here reads it. */
typedef bool cluster_publish_is_told(void *self, const struct name *name, const struct stream_id *place);

struct cluster_publish_settings {
    struct text prefix; /* outlives it */
    uint64_t node;      /* this node's number, in tokens */
    uint64_t bytes_max;
    uint64_t patience_ms;
    bool is_sharded;   /* in a cluster of Redis */
    bool is_confirmed; /* what was answered waits for cluster_publish_confirmed() */
    cluster_publish_done *done;
    cluster_publish_hint *hint;
    cluster_publish_is_told *is_told;
    void *self; /* the first argument of these three */
};

struct cluster_time {
    uint64_t now_ms;   /* monotonic */
    uint64_t redis_ms; /* by Redis's clock */
};

struct cluster_publish_call {
    struct cluster_queue *queue; /* stays until it is answered or lost */
    const struct text *words;    /* until the next call */
    size_t words_count;
    uint32_t messages;
};
