/* server/cluster/people_sweep.h - takes out of Redis what a node has left behind whose lease is over: one node at a
 * time, channel by channel from the set of its channels, members in slices of at most SCRIPT_USERS_MAX. Others may be
 * at the same; of each member and each number only one is told that it was the one, and tells backends. */
#pragma once

#include "server/cluster/people_state.h"

#include <stdbool.h>

/* Begins with the next node, if there is one and none is being swept. */
void people_sweep_run(struct people *people);
/* The connection ended: what was begun is begun anew another time. */
void people_sweep_lost(struct people *people);
void people_sweep_fini(struct people *people);
/* This node has left all its channels: it is to be forgotten. False: it cannot be sent. */
bool people_retire(struct people *people);
