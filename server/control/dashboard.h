/* server/control/dashboard.h - the operator's page and what it is made of.
 *
 * Anybody who reaches the door gets it, since it says nothing of the server: it asks for /stats, and the browser that
 * shows it may have to give the token there, which it could not do for the page itself. */
#pragma once

struct connection;
struct http_request;
struct shard;

void dashboard_answer(struct shard *shard, struct connection *connection, const struct http_request *request);
