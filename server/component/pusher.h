/* server/component/pusher.h - the component for the Pusher Channels protocol, versions 5 to 7: ws://HOST/app/KEY.
 *
 * A client gets a socket id, subscribes to channels of its app, sends client events, signs in. Every answer is an
 * event; what is wrong with a frame is told as pusher:error and the connection stays, but where the protocol has a
 * close code for it.
 * The files: pusher.c greets, closes and hands out frames and answers; pusher_subscribe.c, pusher_event.c (client
 * events), pusher_user.c (sign-in, watchlists), pusher_history.c and pusher_ack.c (what ringcast adds: history,
 * acknowledgements) do what they ask for; pusher_command.c has what all of these need. */
#pragma once

#include "server/component/pusher_command.h"
#include "server/connection/component.h"

struct message;
struct name;
struct query;

extern const struct component component_pusher;

/* The index of an open connection's app. False: it has none, and is about to be closed. */
bool pusher_has_app(const struct connection *connection, uint16_t *app_r);

/* From a home: the answer to what a client asked. Takes over the query. */
void pusher_answered(struct shard *shard, struct query *query);
/* From a home: a client's event could not be published, and nobody waits for an answer. Takes over a reference. */
void pusher_unpublished(struct shard *shard, struct message *message);
/* From a home: closes all who are signed in as the user of this channel. */
void pusher_terminate(struct shard *shard, const struct name *user_channel);
