/* server/home/home_report.h - all that a home knows of a channel, for an operator.
 *
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"

struct query;
struct shard;

/* Answers QUERY_REPORT: the members of a JSON object. RC_ENOENT: nobody uses the channel, and nothing is kept of it;
 * RC_ENOMEM. */
enum rc home_report(const struct shard *shard, struct query *query);
