/* server/control/top.h - the busiest channels, and the connections for which most waits: found by each shard among its
 * own, and made one list of.
 *
 * Cost: a shard walks the channels that it is the home of and its outboxes, a piece in each turn
 * (server/shard/sweep.h). */
#pragma once

#include "core/rc.h"

struct api_call;
struct query;
struct shard;
struct span;

#define TOP_MAX 20 /* of each */

/* Answers QUERY_TOP on any shard. Takes over the query. */
void top_take(struct shard *shard, struct query *query);
/* Writes the answer from those of all shards: {"channels":[...],"connections":[...]}. */
enum rc top_compose(const struct api_call *call, struct span **body);
