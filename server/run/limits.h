/* server/run/limits.h - how large this machine lets us be: threads from its CPUs, tables from its descriptors, buffers
 * from its memory. */
#pragma once

#include "core/rc.h"
#include "server/config/options.h"
#include "server/system/cgroup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Raises the soft limit of descriptors to the hard one and settles what the operator left open: options->shards and
 * options->connections_max. *slots_max_r is the length of each shard's connection table.
 * warning_r, "" when there is none, says when connections_max had to be lowered. Error: reason_r. */
enum rc limits_settle(struct options *options, const struct cgroup_limits *cgroup, uint32_t *slots_max_r,
                      char *warning_r, size_t warning_size, char *reason_r, size_t reason_size);

/* The memory that there is, of the control group or, if that has no bound below it, of the machine. */
uint64_t limits_memory(const struct cgroup_limits *cgroup, bool *is_group_r);

/* Weighs what the buffers need that options->shards have from the start against the memory that there is, of the
 * control group or the machine. warning_r, "" when there is none, has both figures: the kernel ends who needs more
 * without a word. */
void limits_weigh(const struct options *options, const struct cgroup_limits *cgroup, char *warning_r,
                  size_t warning_size);
