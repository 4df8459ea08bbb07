/* server/home/home_people_job.h - what a home asks the cluster about people: jobs on their way. For what, says
 * server/home/home_people.h.
 *
 * Ownership: the shard's, until they come back. What the cluster has no room for waits, and is asked later, in order.
 * Threads:   the home shard. */
#pragma once

#include "core/rc.h"
#include "server/cluster/people_job.h"

#include <stdbool.h>

struct query;
struct shard;

/* Asks what `as` says; app and item are filled in here. False: out of memory. */
bool home_people_put(struct shard *shard, struct people_job *as);
/* Asks for the query's answer. RC_PENDING, and the query is taken over; RC_ENOMEM. */
enum rc home_people_ask(struct shard *shard, struct query *query);
/* Once a turn: asks what could not be asked before. */
void home_people_run(struct shard *shard);
/* The shard ends, and the cluster has stopped: gives up what it was asked. */
void home_people_end(struct shard *shard);
