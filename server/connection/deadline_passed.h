/* server/connection/deadline_passed.h - what happens when a connection's time may be up: a ping, a look at how far its
 * peer has come, an answer that says so, or its end. Threads: the shard's. */
#pragma once

#include <stdint.h>

struct connection;
struct shard;

/* The connection's timer ran out. */
void deadline_passed(struct shard *shard, struct connection *connection);
/* The answer to ring_ask_unacked(): how many bytes sent to the connection are not acknowledged, or -errno. */
void deadline_measured(struct shard *shard, struct connection *connection, int32_t unacked);
