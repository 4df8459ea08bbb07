/* server/connection/secure.h - connections over TLS: ciphertext between socket and connection (net/tls).
 *
 * What comes is opened before anybody looks at it, what goes is sealed in the flush, from where it lies into the
 * block that is sent, one record for what a connection has to say in a turn. When a handshake is computed:
 * server/connection/secure_handshake.h.
 * Threads: the shard's. */
#pragma once

#include "core/rc.h"
#include "net/tls/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;
struct connection;
struct outbox;
struct shard;

/* Takes a step of the connection's handshake, with what has come of it; eats from `in`. TLS_OK: it is done, and what is
 * left is to be opened. TLS_MORE: there is more to come. Else it has failed, and the connection is to end. */
enum tls_result secure_shake(struct shard *shard, struct connection *connection, struct bytes *in);
/* Opens what of `in` is one record, or less; eats it. TLS_OK: *plain_r is what it holds, in shard->tls.plain, until the
 * next call. TLS_MORE: all is eaten. Else it is broken or over, and the connection is to end. */
enum tls_result secure_open(struct shard *shard, struct connection *connection, struct bytes *in,
                            struct bytes *plain_r);

/* What to send next: what is left from before, or a new record of what the outbox holds, which is taken out of it and
 * sealed into `scratch`, which has room for SECURE_SCRATCH_BYTES. RC_ENOENT: there is nothing. RC_ENOMEM: the session
 * can say nothing more; end the connection, but not while sends are queued. */
enum rc secure_next(struct shard *shard, struct connection *connection, struct outbox *outbox, uint8_t *scratch,
                    const uint8_t **bytes_r, size_t *count_r);
/* `went` bytes of what secure_next() gave are gone; the rest is kept. RC_ENOMEM: it could not be, see there. */
enum rc secure_sent(struct shard *shard, struct connection *connection, const uint8_t *bytes, size_t count,
                    size_t went);

/* Says close_notify, if that is due and not said. True: it is to be sent before the socket ends. */
bool secure_say_end(struct shard *shard, struct connection *connection);
/* Gives back what a connection over TLS has besides. */
void secure_free(struct connection *connection);

#define SECURE_SCRATCH_BYTES (17 * 1024)
