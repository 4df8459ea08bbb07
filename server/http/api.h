/* server/http/api.h - the HTTP API for backends: /apps/ID/..., signed as the Pusher server SDKs sign.
 *
 *   POST /events, /batch_events                     publish
 *   GET  /channels, /channels/NAME, .../NAME/users  who is where
 *   GET  /channels/NAME/history                     what was published
 *   POST /users/ID/terminate_connections            close a user's connections
 *   GET  /connections                               how many clients the app has
 * and, not signed, GET /up (200 while the server runs, 503 once it was told to stop) and GET /health (503 also while
 * the store cannot write). What stands before /apps/ in a path is a proxy's, and not signed.
 *
 * A call asks the homes of all channels it names and is answered when the last of them has answered; meanwhile its
 * connection is ANSWERING. The files: api.c routes, api_auth.c checks signatures, api_publish.c and api_read.c are
 * the endpoints, api_call.c waits for homes, api_answer.c says what comes of it. */
#pragma once

#include "core/text.h"

#include <stdbool.h>

struct connection;
struct http_request;
struct shard;

/* Is this path (as sent, without query) the API's? */
bool api_serves(struct text path);

/* The head of a request is complete, its body is not: may it come? False: refused, and the connection ends. */
bool api_judge(struct shard *shard, struct connection *connection, const struct http_request *request);
/* A complete request: answers it, now or later. */
void api_receive(struct shard *shard, struct connection *connection, const struct http_request *request);
