/* server/cluster/people_job.h - what a home asks about people.
 *
 * Ownership: as of all jobs (server/cluster/cluster_job.h); one block with its texts. A query that it carries is the
 *            job's until it is back. Threads: whoever has it. */
#pragma once

#include "core/name.h"
#include "core/text.h"
#include "server/cluster/cluster_job.h"

#include <stdint.h>

enum people_wish {
    PEOPLE_JOIN,  /* the user has its first connection on this node */
    PEOPLE_PART,  /* and has none any more; "": nobody has */
    PEOPLE_COUNT, /* so many subscribers are on this node now */
    PEOPLE_QUERY, /* the answer to this query, as it is for all nodes; rc is the job's: RC_ECLUSTER, RC_ENOMEM */
};

struct query;

struct people_job {
    struct cluster_job job; /* first; of it item, entry, channel and rc are used */
    enum people_wish wish;
    struct name name;
    struct text app; /* its id */
    struct text user_id;
    struct text info;
    uint64_t count;
    struct query *query;     /* QUERY: facts and text are filled in */
    struct people_job *next; /* the cluster's */
};

/* A copy of what `as` has. NULL: out of memory. */
struct people_job *people_job_new(const struct people_job *as);
