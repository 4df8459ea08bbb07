/* server/home/home_answer.h - what a home answers: to queries (core/query.h), and through receipts (core/receipts.h) to
 * whoever repeats a publish.
 *
 * Threads: the home shard. */
#pragma once

#include "core/position.h"
#include "core/rc.h"

#include <stdint.h>

struct query;
struct receipt;
struct receipts;
struct roster;
struct shard;

/* The members of a presence channel; 0: it is none. */
uint32_t home_users_of(const struct roster *roster);
/* Fills in what is to be told of a channel. RC_PENDING: the cluster is asked, and has the query. */
enum rc home_answer_channel(struct shard *shard, struct query *query);

/* Sends the answer back. Takes over the query. */
void home_query_done(struct shard *shard, struct query *query, enum rc rc);
/* What the query published has gone out, or could not. Takes over the query. */
void home_query_published(struct shard *shard, struct query *query, enum rc rc);

/* Answers whoever published, and who repeated that meanwhile. Takes over the query; NULLs are accepted. */
void home_answer_publish(struct shard *shard, struct query *query, struct receipt *receipt, enum rc rc,
                         const struct position *position);
/* The shard's receipts, made when first wanted. NULL: out of memory. */
struct receipts *home_receipts(struct shard *shard);
/* How many receipts there are has changed: counts them. */
void home_count_keys(struct shard *shard);
