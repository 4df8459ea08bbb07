/* server/cluster/cluster_rules.h - what all nodes have to agree on: which apps there are, and what their channels
 * keep. Each says it of itself in Redis; two that differ trim each other's histories, or know an app that the other
 * does not. */
#pragma once

#include "core/text.h"

struct options;

/* The node's name for people in the first line, then a line for each app and each rule of history, in order; free()
 * it. NULL: out of memory. */
char *cluster_rules_of(const struct options *options);
/* The first line behind the first that `one` has and `other` has not; at == NULL: there is none. */
struct text cluster_rules_difference(struct text one, struct text other);
/* The node's name. */
struct text cluster_rules_name(struct text rules);
