/* server/control/ready.h - /live: does it run? /ready: should clients be sent to it?
 *
 * {"ready":true,"reasons":[]}, or 503 and why not, each {"reason":"store","text":"disk I/O error"}:
 *   draining          it stops
 *   store             durable messages cannot be written
 *   connections_full  --connections-max clients are there
 *   memory            connections were closed for want of memory, since the last question or ten seconds ago */
#pragma once

struct connection;
struct http_request;
struct shard;

void ready_answer_live(struct shard *shard, struct connection *connection, const struct http_request *request);
void ready_answer(struct shard *shard, struct connection *connection, const struct http_request *request);
