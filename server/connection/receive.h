/* server/connection/receive.h - socket bytes -> HTTP request -> frames -> messages:
 * the reading half of a connection. */
#pragma once

struct bytes;
struct completion;
struct connection;
struct shard;

/* A RECEIVE completed. Gives its buffer back. */
void receive_completed(struct shard *shard, struct connection *connection, struct completion *completion);

/* The answer to the connection's request is said: it is ready for the next one (connection_answered()), and goes on
 * with what came meanwhile. */
void receive_answered(struct shard *shard, struct connection *connection);
/* The component takes the connection in: answers 101 (connection_open()), and goes on with what came meanwhile. */
void receive_opened(struct shard *shard, struct connection *connection);
/* The shard's letters have room again: a paused connection goes on. */
void receive_resumed(struct shard *shard, struct connection *connection);
/* What kept the connection from being read is over: takes what is held, and reads, unless something else keeps it. */
void receive_go_on(struct shard *shard, struct connection *connection);

/* Starts receives again that found no buffer, and goes on with what was put off; once a turn, after the buffers were
 * given back. */
void receive_retry_starved(struct shard *shard);

/* Once a turn, when what others were to get is sent: goes on with some of the handshakes of TLS that are due. */
void receive_run_handshakes(struct shard *shard);
