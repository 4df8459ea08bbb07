/* server/request.h - what comes before frames: HTTP requests, for the page or for a WebSocket. */
#pragma once

#include <stdbool.h>

struct batch;
struct bytes;
struct connection;
struct shard;

/* Eats from `in` and answers a request that is complete. True: there may be more to do with what is left. */
bool request_receive(struct shard *shard, struct connection *connection, struct bytes *in);

/* The 101 answer to the request that the connection is about; NULL: out of memory. */
struct batch *request_upgrade_answer(struct shard *shard, const struct connection *connection);
