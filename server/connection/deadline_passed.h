/* server/connection/deadline_passed.h - what happens when a connection's time may be up: a ping, a look at how far its
 * peer has come, an answer that says so, or its end. Threads: the shard's. */
#pragma once

#include <stdint.h>

struct connection;
struct shard;

/* Its timer ran out. */
void deadline_passed(struct shard *shard, struct connection *connection);
/* So many bytes sent to it are not acknowledged (ring_ask_unacked()), or -errno. */
void deadline_measured(struct shard *shard, struct connection *connection, int32_t unacked);
