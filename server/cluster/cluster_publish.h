/* server/cluster/cluster_publish.h - what this node publishes, on its way to Redis: once, and in each channel in the
 * order in which it was asked. No input or output: whoever has it sends the calls, and tells what was answered.
 *
 *     cluster_publish_ask()                             a job comes
 *     while (cluster_publish_next(p, time, &call))      send call.words, then cluster_publish_sent(p, &call)
 *     cluster_publish_answered()                        the answer to one of them, in whatever order
 *     cluster_publish_lost()                            the connection is over, with calls that were not answered
 *     cluster_publish_tick()                            some times a second
 *
 * One call for each channel is under way; what comes meanwhile gathers and goes with the next, up to SCRIPT_RECORDS_MAX
 * messages or PUBLISH_BYTES_MAX of records. A call carries a deadline by Redis's clock, behind which Redis does nothing
 * of it. Was its answer lost, then nothing else is sent in that channel until the deadline has passed there, or
 * another life of the server has begun, and the same is asked again: Redis looks whether the tokens are there already.
 * A channel without history needs no deadline: who reads it drops what comes twice by its token.
 * Patience:  a job waits for patience_ms, and one whose call was lost at least until that call's deadline; then it
 *            comes back with RC_ECLUSTER. It is not done then, unless its call was lost: that nobody knows.
 * Threads:   one.
 * Ownership: a job is the asker's again when `done` is called with it.
 * Bounds:    records of bytes_max; a job that does not fit comes back with RC_EFULL. Queues:
 *            server/cluster/cluster_queue.h. */
#pragma once

#include "core/rc.h"
#include "server/cluster/cluster_publish_settings.h"
#include "server/cluster/redis_error.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

struct cluster_publish;
struct counters;

/* NULL: out of memory. */
struct cluster_publish *cluster_publish_new(const struct cluster_publish_settings *settings,
                                            struct counters *counters);
/* Accepts NULL. There are no jobs left. */
void cluster_publish_free(struct cluster_publish *publish);

void cluster_publish_ask(struct cluster_publish *publish, struct cluster_job *job, uint64_t now_ms);

/* The next call; false: none now. It is the same again unless it was sent. */
bool cluster_publish_next(struct cluster_publish *publish, const struct cluster_time *time,
                          struct cluster_publish_call *call_r);
void cluster_publish_sent(struct cluster_publish *publish, const struct cluster_publish_call *call);
/* The error that came; NULL: none. */
const struct redis_error *cluster_publish_answered(struct cluster_publish *publish, struct cluster_queue *queue,
                                                   const redisReply *reply, uint64_t now_ms);
/* Calls that were sent and not answered never will be; nor are answers confirmed. */
void cluster_publish_lost(struct cluster_publish *publish, const struct cluster_time *time);
/* All that was answered until now is, or is not, on as many replicas as it has to be. */
void cluster_publish_confirmed(struct cluster_publish *publish, bool is_safe);
/* Places of smaller epochs are over. `is_other_life`: the server was started anew, or is another one, so that nothing
 * is done any more of what was sent before. */
void cluster_publish_set_generation(struct cluster_publish *publish, uint64_t generation, bool is_other_life);

/* A message of this node has come back, and the readers here have been told. */
void cluster_publish_told(struct cluster_publish *publish, const struct name *name, uint64_t number);
/* Jobs without frames: is what they wait for told? Once a round. */
void cluster_publish_look(struct cluster_publish *publish, uint64_t now_ms);
/* Whose patience is over, what can be asked again. */
void cluster_publish_tick(struct cluster_publish *publish, uint64_t now_ms);
/* All jobs come back: those that wait with RC_ECLUSTER. */
void cluster_publish_give_up(struct cluster_publish *publish);

/* When the one of those that wait was asked that waits longest; 0: none does. */
uint64_t cluster_publish_oldest_ms(const struct cluster_publish *publish);
/* Jobs that have not come back. */
uint64_t cluster_publish_jobs(const struct cluster_publish *publish);
