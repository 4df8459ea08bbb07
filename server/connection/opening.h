/* server/connection/opening.h - the request that opens something: may its client come in; the 101 to a WebSocket. */
#pragma once

#include "core/close_reason.h"

struct app;
struct batch;
struct connection;
struct http_request;
struct shard;

/* May the client of this request come in to the app? CLOSE_NONE, or why nobody may, or none without TLS. */
enum close_reason opening_judge_app(const struct shard *shard, const struct app *app,
                                    const struct connection *connection, const struct http_request *request);

/* The 101 answer to the request that the connection is about; NULL: out of memory. */
struct batch *opening_answer(struct shard *shard, const struct connection *connection);
