/* server/control/metrics_answer.h - /metrics and /stats: server/metrics as answers to requests.
 *
 * Whoever may ask for them learns how busy the server is and which apps it has: server/control/control_path.def says
 * who may. Made whole in memory: some 28 KB, with 3.5 KB more for each shard and 100 bytes for each app. */
#pragma once

struct connection;
struct http_request;
struct shard;

/* In the format that the client's Accept wants most. */
void metrics_answer(struct shard *shard, struct connection *connection, const struct http_request *request);
void stats_answer(struct shard *shard, struct connection *connection, const struct http_request *request);
