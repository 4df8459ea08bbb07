/* server/control/control.h - the door for backends and operators (--control): the HTTP API, and the paths of
 * control_path.def.
 *
 * It has a shard of its own, which is nobody's home: what is asked here, and who floods it or never reads, costs the
 * others nothing but the letters of the API. What becomes of such a client is said where all connections are:
 * server/http/request.h, server/connection/deadline.h. */
#pragma once

#include <stdbool.h>

struct bytes;
struct connection;
struct shard;

/* Eats from `in` and answers a request that is complete. True: there may be more to do with what is left. */
bool control_receive(struct shard *shard, struct connection *connection, struct bytes *in);
