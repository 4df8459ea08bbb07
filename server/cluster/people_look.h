/* server/cluster/people_look.h - looks into Redis for a backend: how many are in a channel, which members it has,
 * which channels there are. For server/cluster/people.c.
 *
 * The list of channels is made of the sets of all nodes, so no node has to answer for another: a
 * name that is in a set without anybody in the channel, as one that a dead node left behind, has the sum 0 and is
 * left out. */
#pragma once

#include "server/cluster/people_job.h"
#include "server/cluster/people_state.h"

/* The job comes back by people_way.answer, now or later; when the connection ends, with RC_ECLUSTER. */
void people_look(struct people *people, struct people_job *job);
