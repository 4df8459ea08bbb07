/* server/connection/receive.h - socket bytes -> HTTP request -> frames -> messages:
 * the reading half of a connection. */
#pragma once

struct bytes;
struct completion;
struct connection;
struct shard;

/* Asks the ring for whatever comes. */
void receive_start(struct shard *shard, struct connection *connection);

/* A RECEIVE completed. Gives its buffer back. */
void receive_completed(struct shard *shard, struct connection *connection, struct completion *completion);

/* Takes in what was held while the connection could not be read; may hold a part again. */
void receive_held(struct shard *shard, struct connection *connection);

/* REQUEST: what kept it from being read is over; it goes on in the next turn, so that others have theirs. */
void receive_later(struct shard *shard, struct connection *connection);

/* Starts receives again that found no buffer, and goes on with what was put off; once a turn, after the buffers were
 * given back. */
void receive_retry_starved(struct shard *shard);

/* Once a turn, when what others were to get is sent: goes on with some of the handshakes of TLS that are due. */
void receive_run_handshakes(struct shard *shard);
