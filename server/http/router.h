/* server/http/router.h - which request gets what, where everybody comes in. */
#pragma once

#include <stdbool.h>

struct bytes;
struct connection;
struct shard;

/* What the public door serves. Eats from `in` and answers a request that is complete. True: there may be more to do
 * with what is left. */
bool router_receive(struct shard *shard, struct connection *connection, struct bytes *in);

/* Do answers wait for the client to read them? Then no further request is taken. */
bool request_must_wait(struct shard *shard, const struct connection *connection);
/* Sets the timer for a whole request to come, or for a handshake of TLS. */
void request_expect(struct shard *shard, struct connection *connection);
/* Sets the timer between two requests: until the next one begins, or, while answers wait, until the client has read
 * some of them. One that has begun has its own time once they have gone. */
void request_await(struct shard *shard, struct connection *connection);
/* The server stops: sets the timer for a request that may be under way (server/run/drain.h). Also TLS. */
void request_stop(struct shard *shard, struct connection *connection);
/* The timer ran out: no request came in time, no whole one, or the answers to earlier ones were not read. */
void request_timer(struct shard *shard, struct connection *connection);
