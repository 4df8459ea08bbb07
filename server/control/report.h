/* server/control/report.h - a connection as its own shard sees it, for an operator who names it by its socket id.
 *
 * A raw client has no socket id; 0.PLACE names it, with the second number of one. */
#pragma once

struct query;
struct shard;

/* Answers QUERY_CONNECTION, the members of a JSON object, and QUERY_CLOSE, which ends it, on the shard where the
 * connection is. Takes over the query. */
void report_take(struct shard *shard, struct query *query);
