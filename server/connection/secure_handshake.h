/* server/connection/secure_handshake.h - when handshakes of TLS are computed.
 *
 * Each is computing of half a millisecond to three: those that are due wait in queues of which each turn takes a few,
 * so that a storm of newcomers keeps nobody else waiting. Those that have begun come first, for their rest is cheap and
 * all was for nothing if their client gives up. While one waits for us, its client's time stands still; who gave up
 * before his began is not computed for. */
#pragma once

struct bytes;
struct connection;
struct shard;

/* Bytes came of a handshake: they are kept, and it is due. */
void secure_queue_handshake(struct shard *shard, struct connection *connection, const struct bytes *in);
/* What was due is computed, and the handshake is not done: it waits for its client again. */
void secure_await_handshake(struct shard *shard, struct connection *connection);
