/* server/cluster/cluster_queue.h - for each channel what is published in it and not answered, and what is known of its
 * history. For server/cluster/cluster_publish.c, which says what it means.
 *
 * A queue without jobs stays, so that the next publish knows the epoch; QUEUES_IDLE_MAX of them, those used last.
 * Threads:   one.
 * Ownership: the table's; jobs are linked, not owned. */
#pragma once

#include "core/name.h"
#include "core/rc.h"
#include "server/cluster/stream_id.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#define QUEUES_IDLE_MAX 16384

struct cluster_job;
struct counters;

enum cluster_call_state {
    CALL_NONE,
    CALL_SENT,
    CALL_LOST, /* its answer was: it may have been done, or be done until its deadline */
};

struct cluster_queue {
    struct name name; /* text stands behind the struct, and the app's id */
    struct text app;
    struct cluster_queue *next_in_table;
    TAILQ_ENTRY(cluster_queue) entry; /* of the active or the idle */
    TAILQ_ENTRY(cluster_queue) ready; /* something may be sent */
    struct cluster_job *first;        /* by item.next, in the order asked */
    struct cluster_job *last;
    struct stream_id place;  /* of the newest message that was answered; epoch 0: none */
    uint64_t generation;     /* in which that was */
    uint64_t number;         /* of this node's newest message that was answered, and */
    uint64_t number_told;    /* that came back */
    uint64_t deadline_ms;    /* of the call, by Redis's clock */
    uint64_t not_before_ms;  /* monotonic: nothing is sent */
    uint64_t expires_set_ms; /* monotonic: when the stream was last told how long to stay; 0: never */
    uint64_t expire_ms;      /* what the call said of that, 0: nothing */
    uint32_t under_way;      /* so many from the first on are in the call */
    enum cluster_call_state call;
    bool is_again;  /* the call that was sent had been lost before */
    bool is_active; /* has jobs */
    bool is_ready;
};

TAILQ_HEAD(cluster_queue_list, cluster_queue);

struct cluster_queues {
    struct cluster_queue **chains;
    uint32_t capacity; /* a power of two */
    uint32_t count;
    uint32_t idle_count;
    struct cluster_queue_list active;
    struct cluster_queue_list idle; /* the one used last at the end */
    struct cluster_queue_list ready;
};

/* RC_OK, RC_ENOMEM. Fini accepts what is zero. */
enum rc cluster_queues_init(struct cluster_queues *queues);
void cluster_queues_fini(struct cluster_queues *queues);

/* NULL: there is none. */
struct cluster_queue *cluster_queues_find(const struct cluster_queues *queues, const struct name *name);
/* Makes it if need be. NULL: out of memory. */
struct cluster_queue *cluster_queues_get(struct cluster_queues *queues, const struct name *name, struct text app);

/* Puts a job to the end, and takes the first one out. */
void cluster_queue_put(struct cluster_queues *queues, struct cluster_queue *queue, struct cluster_job *job);
struct cluster_job *cluster_queue_take(struct cluster_queue *queue);
/* Into the list of those that are ready, once; and out of it. */
void cluster_queue_set_ready(struct cluster_queues *queues, struct cluster_queue *queue, bool is_ready);
/* Has it no jobs, and no lost call that may still be done? Then it is idle, and may be gone after this. */
void cluster_queue_rest(struct cluster_queues *queues, struct cluster_queue *queue, uint64_t now_ms);
