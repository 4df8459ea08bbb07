/* server/channel/publish.h - the way of a message through channels: to its home, into order,
 * to the shards, to outboxes.
 *
 * A channel's home gives its messages one order (server/home/home_publish.h); mailboxes keep it; so every subscriber on
 * every shard sees the same. Messages that reach a shard in one turn wait in their channel and go to its subscribers at
 * the end of the turn, as few batches as they fit into: encoded once, joined once, shared by all. */
#pragma once

#include "core/rc.h"

struct message;
struct shard;

/* Publishes; takes over the caller's reference. RC_PENDING: the message is on its way, but mailboxes are full or
 * crowds wait: pause the connection that published. */
enum rc publish(struct shard *shard, struct message *message);

/* From the home: keeps a message for the end of the turn. Takes over a reference. */
void publish_deliver(struct shard *shard, struct message *message);
