/* server/home/home_query.h - what a query (core/query.h) makes happen at a channel's home.
 *
 * Threads: the home shard. */
#pragma once

struct query;
struct shard;

/* Fills in the answer and sends it back. Takes over the query. */
void home_query_take(struct shard *shard, struct query *query);
