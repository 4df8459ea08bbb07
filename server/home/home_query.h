/* server/home/home_query.h - what becomes of a query (core/query.h) at a channel's home, and of its answer.
 *
 * Threads: the home shard, but for query_answered(). Each takes over the query. */
#pragma once

#include "core/rc.h"

struct query;
struct shard;

/* Fills in the answer and sends it back. */
void query_take(struct shard *shard, struct query *query);
/* It has been published, or could not be. */
void query_published(struct shard *shard, struct query *query, enum rc rc);
/* Sends the answer back. */
void query_done(struct shard *shard, struct query *query, enum rc rc);

/* At the asker's shard: hands the answer to whoever asked. */
void query_answered(struct shard *shard, struct query *query);
