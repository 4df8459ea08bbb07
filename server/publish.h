/* server/publish.h - the way of a message through channels: to its home, into order, to the shards, to outboxes.
 *
 * A channel's home gives its messages one order; mailboxes keep it; so every subscriber on every shard sees the same.
 * Messages that reach a shard in one turn wait in their channel and go to its subscribers at the end of the turn, as
 * few batches as they fit into: encoded once, joined once, shared by all. */
#pragma once

#include "core/rc.h"

#include <stdint.h>

struct channel;
struct connection;
struct message;
struct name;
struct shard;
struct subscription;

/* Subscribes a connection. RC_OK: it gets every message from here on. RC_PENDING: so it will be once the home has
 * answered, which connection_open() then tells. RC_ENOMEM: not subscribed. */
enum rc publish_subscribe(struct shard *shard, const struct name *name, struct connection *connection);
/* Takes a connection out of its channel: no message that is not in its outbox yet comes to it. */
void publish_unsubscribe(struct shard *shard, struct connection *connection);

/* Publishes; takes over the caller's reference. RC_PENDING: the message is on its way, but mailboxes are full: pause
 * the connection that published. */
enum rc publish(struct shard *shard, struct message *message);

/* At the home: gives the message its place and hands it to every shard with subscribers. Takes over a reference. */
enum rc publish_in_order(struct shard *shard, struct message *message);
/* On each shard: keeps a message for the end of the turn. Takes over a reference. */
void publish_deliver(struct shard *shard, struct message *message);

/* At the home: another shard's first subscriber came, last one left. Each takes over a reference. */
void publish_take_subscribe(struct shard *shard, uint32_t from, struct message *message, uint32_t serial);
void publish_take_unsubscribe(struct shard *shard, uint32_t from, struct message *message);
/* From the home: deliveries begin. */
void publish_take_subscribed(struct shard *shard, struct message *message, uint32_t serial);
