/* server/http/router.h - which request gets what, where everybody comes in. */
#pragma once

#include <stdbool.h>

struct bytes;
struct connection;
struct shard;

/* What the public door serves. Eats from `in` and answers a request that is complete. True: there may be more to do
 * with what is left. */
bool router_receive(struct shard *shard, struct connection *connection, struct bytes *in);
