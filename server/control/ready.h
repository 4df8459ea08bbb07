/* server/control/ready.h - /live: does it run? /ready: should clients be sent to it?
 *
 * {"ready":true,"reasons":[]}, or 503 and why not, each {"reason":"store","text":"disk I/O error"}:
 *   draining          it stops
 *   store             durable messages cannot be written
 *   cluster           Redis cannot be used: what is published there is refused, and other nodes hear nothing of it
 *   connections_full  --connections-max clients are there
 *   memory            connections were closed for want of memory, since the last question or ten seconds ago */
#pragma once

#include <stdint.h>

#define READY_REASONS_MAX 5

struct connection;
struct http_request;
struct shard;

/* One of those above; both static. */
struct ready_reason {
    const char *name, *text;
};

/* How many there are; 0: it is ready. The control shard. */
uint32_t ready_find_reasons(struct shard *shard, struct ready_reason reasons_r[READY_REASONS_MAX]);

void ready_answer_live(struct shard *shard, struct connection *connection, const struct http_request *request);
void ready_answer(struct shard *shard, struct connection *connection, const struct http_request *request);
