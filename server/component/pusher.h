/* server/component/pusher.h - the component for the Pusher Channels protocol, versions 5 to 7: ws://HOST/app/KEY.
 *
 * A client gets a socket id, subscribes to channels of its app, sends client events, signs in. Every answer is an
 * event; what is wrong with a frame is told as pusher:error and the connection stays, but where the protocol has a
 * close code for it.
 * The files: pusher.c greets, closes and hands out frames; pusher_subscribe.c, pusher_event.c (client events),
 * pusher_user.c (sign-in, watchlists) and pusher_history.c (what ringcast adds: history, acknowledgements) do what they
 * ask for. */
#pragma once

#include "server/connection/component.h"

#include <stdint.h>

struct app;
struct name;
struct query;
struct user;

/* What a channel connection has besides (connection->pusher); from the shard's pool. */
struct pusher {
    struct app *app;
    struct user *user; /* signed in, or about to be; NULL: not */
    uint32_t random;   /* of its socket id */
    uint16_t channels; /* it subscribes to, without those that sign-in brings along */
    uint16_t watches;  /* of its watchlist that no home has answered yet */
    uint32_t asked;    /* of homes, that no home has answered yet */
    uint32_t events;   /* client events in the second that began at events_ms */
    uint64_t events_ms;
    uint32_t subscribes; /* in the window that began at subscribes_ms */
    uint64_t subscribes_ms;
};

extern const struct component pusher;

/* From a home: the answer to what a client asked. Takes over the query. */
void pusher_answered(struct shard *shard, struct query *query);
/* From a home: closes all who are signed in as the user of this channel. */
void pusher_terminate(struct shard *shard, const struct name *user_channel);
