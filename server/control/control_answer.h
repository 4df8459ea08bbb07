/* server/control/control_answer.h - who answers a path of the control door. */
#pragma once

struct connection;
struct http_request;
struct shard;

/* Answers a request that has no body, now or later (server/http/answer.h). */
typedef void control_answer(struct shard *shard, struct connection *connection, const struct http_request *request);
