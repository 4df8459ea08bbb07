/* server/limits.h - how large this machine lets us be: threads from its CPUs, tables from its descriptors. */
#pragma once

#include "core/rc.h"
#include "server/options.h"

#include <stddef.h>
#include <stdint.h>

/* Raises the soft limit of descriptors to the hard one and settles what the operator left open: options->shards and
 * options->connections_max. *slots_max_r is the length of each shard's connection table.
 * warning_r, "" when there is none, says when connections_max had to be lowered. Error: reason_r. */
enum rc limits_settle(struct options *options, uint32_t *slots_max_r, char *warning_r, size_t warning_size,
                      char *reason_r, size_t reason_size);
