/* server/channel/subscribe.h - a connection's way into channels and out of them, as its own shard sees it.
 *
 * Every subscription asks the channel's home first (server/home/home.h), also where the home is this shard; the answer
 * ends in the component's on_subscribed or on_refused. Because mailboxes are FIFO, the connection gets every message
 * that the home puts in order after its answer, and none before. */
#pragma once

#include "core/join.h"
#include "core/rc.h"

struct connection;
struct shard;
struct subscription;

/* Asks the home of a channel to let the connection in. RC_OK or RC_PENDING: the component is told, now (before this
 * returns) or later; RC_PENDING says that mailboxes are full: pause the connection. RC_ENOMEM: nothing was asked and
 * nobody is told. */
enum rc subscribe(struct shard *shard, struct connection *connection, const struct join_wish *wish);
/* Takes a subscription back, one that still waits too; no message that is not in the outbox yet comes any more. The
 * subscription is gone afterwards. */
void unsubscribe(struct shard *shard, struct connection *connection, struct subscription *subscription);
/* Takes all of the connection's subscriptions back: it ends. */
void unsubscribe_all(struct shard *shard, struct connection *connection);

/* The connection's subscription to that channel in that form, also one that still waits; NULL: none. */
struct subscription *subscription_find(const struct connection *connection, const struct name *channel,
                                       enum form form);

/* From the home: its answer. Takes over the join. */
void subscribe_answered(struct shard *shard, struct join *join);
