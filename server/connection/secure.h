/* server/connection/secure.h - connections over TLS: ciphertext between socket and connection (net/tls).
 *
 * What comes is opened before anybody looks at it, what goes is sealed in the flush, one record for what a connection
 * has to say in a turn. Handshakes are computing of a millisecond or three: those that are due wait in queues of which
 * each turn takes a few, so that a storm of newcomers keeps nobody else waiting. Those that have begun come first, for
 * their rest is cheap and all was for nothing if their client gives up. While one waits for us, its client's time
 * stands still; who gave up before his began is not computed for.
 * Threads: the shard's. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;
struct connection;
struct outbox;
struct shard;

/* Bytes came on a connection that is secure. Eats them all. */
void secure_receive(struct shard *shard, struct connection *connection, struct bytes *in);
/* Once a turn, when what others were to get is sent: goes on with some of the handshakes that are due. */
void secure_run_handshakes(struct shard *shard);

/* Has the connection ciphertext that the socket has not taken yet? The server's flight of its handshake, or at most
 * SECURE_SCRATCH_BYTES: a record and a few alerts. */
bool secure_has_unsent(const struct connection *connection);
/* What to send next: what is left from before, or a new record of what the outbox holds, which is taken out of it and
 * sealed into `scratch`, which has room for SECURE_SCRATCH_BYTES. RC_ENOENT: there is nothing. RC_ENOMEM: the session
 * can say nothing more; end the connection, but not while sends are queued. */
enum rc secure_next(struct shard *shard, struct connection *connection, struct outbox *outbox, uint8_t *scratch,
                    const uint8_t **bytes_r, size_t *count_r);
/* `went` bytes of what secure_next() gave are gone; the rest is kept. RC_ENOMEM: it could not be, as above. */
enum rc secure_sent(struct shard *shard, struct connection *connection, const uint8_t *bytes, size_t count,
                    size_t went);

/* Says close_notify, if that is due and not said. True: it is to be sent before the socket ends. */
bool secure_say_end(struct shard *shard, struct connection *connection);
/* Gives back all that is secure about it. */
void secure_free(struct connection *connection);

#define SECURE_SCRATCH_BYTES (17 * 1024)
