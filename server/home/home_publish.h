/* server/home/home_publish.h - a message at its channel's home: once only, kept if its channel keeps it,
 * into order, out.
 *
 * Threads: the home shard. */
#pragma once

#include "core/position.h"
#include "core/rc.h"

struct channel;
struct message;
struct query;
struct receipt;
struct receipts;
struct roster;
struct shard;

/* What somebody published. Takes over a reference, and the query of whoever waits to hear of it (NULL: nobody does),
 * which is answered now or later. RC_PENDING: it is on its way, but mailboxes are full. */
enum rc home_publish(struct shard *shard, struct message *message, struct query *query);
/* To the readers, of whom there may be none, and nothing of it is kept. Takes over what home_publish() does, and the
 * receipt; channel may be NULL. */
enum rc home_pass_on(struct shard *shard, struct channel *channel, struct message *message, struct query *query,
                     struct receipt *receipt);
/* Answers whoever published, and who repeated that meanwhile. Takes over the query; NULLs are accepted. */
void home_answer_publish(struct shard *shard, struct query *query, struct receipt *receipt, enum rc rc,
                         const struct position *position);

/* Gives the message its place among all and hands it to every shard with readers. Takes over a reference. */
enum rc home_deliver(struct shard *shard, struct channel *channel, struct message *message);

/* Closes all who are signed in as the user of this channel. Takes over a reference. */
void home_terminate(struct shard *shard, struct message *message);

/* Forgets a cache channel's last event; nothing, if there is none. */
void home_forget_kept(struct shard *shard, struct roster *roster);
/* The shard's receipts, made when first wanted. NULL: out of memory. */
struct receipts *home_receipts(struct shard *shard);
/* How many there are has changed. */
void home_count_keys(struct shard *shard);
