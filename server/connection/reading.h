/* server/connection/reading.h - whether bytes are taken from a connection's socket.
 *
 * A client that is not read waits: TCP tells it so. What has come already is held, and taken in when it is read on
 * (receive_go_on(), server/connection/receive.h).
 * Threads: the shard's. */
#pragma once

struct connection;
struct shard;

/* Asks the ring for whatever comes. */
void reading_start(struct shard *shard, struct connection *connection);
/* Like reading_start(), unless that is under way, nothing more will come, or something keeps the connection from being
 * read. */
void reading_go_on(struct shard *shard, struct connection *connection);
/* REQUEST, OPEN: what kept the connection from being read is over; it goes on in the next turn, so that others have
 * theirs. */
void reading_later(struct shard *shard, struct connection *connection);

/* TLS, ANSWERING: stops reading until the handshake has been gone on with, the answer is said; and reads again. */
void reading_choke(struct shard *shard, struct connection *connection);
void reading_unchoke(struct shard *shard, struct connection *connection);
/* OPEN: stops reading from the connection until the shard's letters have room again; receive_resumed() follows. */
void reading_pause(struct shard *shard, struct connection *connection);
