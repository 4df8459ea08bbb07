/* server/home/home_deliver.h - a message gets its place among all of its channel, and goes to the shards with readers.
 *
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"

struct channel;
struct message;
struct query;
struct receipt;
struct shard;

/* Gives the message its place among all and hands it to every shard with readers. Takes over a reference. */
enum rc home_deliver(struct shard *shard, struct channel *channel, struct message *message);
/* The same with one that has its place already, among all of all nodes, and was counted where it was published. */
enum rc home_deliver_placed(struct shard *shard, struct channel *channel, struct message *message);
/* Hands a message of which nothing is kept to the readers, of whom there may be none. Takes over what home_publish()
 * does, and the receipt; channel may be NULL. */
enum rc home_pass_on(struct shard *shard, struct channel *channel, struct message *message, struct query *query,
                     struct receipt *receipt);

/* Closes all who are signed in as the user of this channel. Takes over a reference. */
void home_terminate(struct shard *shard, struct message *message);
