/* server/cluster/cluster_reading.h - a job that reads what was kept of a channel (CLUSTER_READ), on its way: which
 * command is next, and what is made of its answer. No input or output.
 *
 * First the newest entry, which says what epoch there is; then the oldest of that; then pages of what was asked for,
 * of at most 256 entries or about a mebibyte. Messages that are older than the rule's ttl are there no more.
 * Threads:   one.
 * Ownership: the job is the asker's; what it is answered stands in it, RC_OK as long as nothing has failed.
 * Bounds:    the job's count_max and bytes_max. */
#pragma once

#include "core/rc.h"
#include "server/cluster/cluster_entry.h"

#include <stdbool.h>
#include <sys/queue.h>

#define CLUSTER_READING_WORDS 6 /* XRANGE key from to COUNT n */

struct cluster_job;
struct counters;

enum reading_step { READING_NEWEST, READING_OLDEST, READING_PAGES };

/* Fields are the reading's, but for the entry and the job. */
struct cluster_reading {
    STAILQ_ENTRY(cluster_reading) entry; /* of whoever sends commands */
    struct cluster_job *job;
    uint64_t asked_ms;
    enum reading_step step;
    struct stream_id newest;
    uint64_t since, before; /* what is left to be read lies between these offsets */
    uint64_t bytes;
    uint32_t capacity; /* of job->messages */
    bool is_broken;    /* something of what was asked for is missing, too old, or does not fit */
    char from[STREAM_ID_BYTES_MAX], to[STREAM_ID_BYTES_MAX], count[12];
};

/* What a reading has to know besides its job. */
struct cluster_reading_facts {
    struct counters *counters;
    uint64_t node;       /* this node's number */
    uint64_t generation; /* epochs before it are over */
    uint64_t redis_ms;   /* the time by Redis's clock */
};

/* NULL: out of memory. Free accepts NULL. */
struct cluster_reading *cluster_reading_new(struct cluster_job *job, uint64_t now_ms);
void cluster_reading_free(struct cluster_reading *reading);

/* The words of the next command but for the key, words[1]; they last until the next one. */
void cluster_reading_words(struct cluster_reading *reading, struct text words[CLUSTER_READING_WORDS]);
/* Its answer. True: that was the last; the job is answered. */
bool cluster_reading_take(struct cluster_reading *reading, const struct cluster_reading_facts *facts,
                          const struct cluster_entry *entries, uint32_t count);
/* It is begun anew. */
void cluster_reading_restart(struct cluster_reading *reading, struct counters *counters);
