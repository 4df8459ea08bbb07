/* net/tls/tls.h - TLS 1.2 and 1.3 over memory: ciphertext in, plaintext out, and back. Handshakes are mbedTLS' (3.6),
 * records ours, over net/tls/aead.h.
 *
 * No sockets, no files but those named for certificates, no threads. Nothing of mbedTLS shows here, nor how a session
 * keeps its memory.
 * Threads:   a context belongs to one thread, for keys and elliptic curves of mbedTLS must not be used from two; so
 *            do sessions and what they share. Each shard makes its own from the same `struct tls_files`.
 *            tls_global_init() once, before.
 * Ownership: a session holds its context until its handshake is done: a context that was replaced goes with its last
 *            handshake.
 * Tickets:   resumption works across the contexts of all shards, which share ticket keys (struct tls_ticket_keys).
 * Memory:    43 KB for a session whose handshake is under way, mostly mbedTLS' two record buffers; less than 300 bytes
 *            for one that is open, and up to 17 KB more as long as a record has not come whole. Secrets are wiped
 *            before memory is given back. Keys of certificates, of tickets and of open sessions stand in no core dump;
 *            what mbedTLS has of a handshake that is under way may.
 * Errors:    of set-up: a result code, and a sentence of cause and cure. Of sessions: enum tls_result and a reason
 *            for logs; what a session has to say about its end (an alert) was handed to `output` by then. */
#pragma once

#include "core/rc.h"
#include "net/tls/tls_context.h"
#include "net/tls/tls_files.h"
#include "net/tls/tls_limits.h"
#include "net/tls/tls_result.h"
#include "net/tls/tls_ticket_keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls;

/* The library and its version: "Mbed TLS 3.6.6"; static. */
const char *tls_library(void);

/* Main thread, before any other call; settles on libraries for records and SHA-256 (see net/tls/aead.h and
 * net/tls/tls_hash.h). RC_ENOMEM, or RC_EKERNEL: no entropy, or no library computes rightly here. */
enum rc tls_global_init(void);
/* Main thread, once, after that and before there are contexts: lets nettle multiply on X25519 and P-256, and sign on
 * P-256 (see net/tls/tls_curve.h and net/tls/tls_sign.h). False: it cannot multiply, and mbedTLS does as before, only
 * slower. */
bool tls_use_fast_curves(void);
bool tls_has_fast_curves(void);
/* For logs, after these: which library does what, in a few words; until the next call in this thread. */
const char *tls_libraries(void);

/* What all sessions of a thread share, whatever their certificates: their memory and a few contexts. */
struct tls_sessions;
/* NULL: out of memory. Free when the last session is gone; accepts NULL. */
struct tls_sessions *tls_sessions_new(void);
void tls_sessions_free(struct tls_sessions *sessions);

/* NULL: out of memory. Holds the context. `owner` is given to `output`. */
struct tls *tls_new(struct tls_sessions *sessions, struct tls_context *context, tls_output *output, void *owner);
/* Accepts NULL. Says nothing to the peer: tls_close() before, if the peer is to know. */
void tls_free(struct tls *tls);

/* Is the handshake done? Stays true. */
bool tls_is_open(const struct tls *tls);
/* Before tls_is_open(): takes as much of the input as the handshake needs; *eaten_r says how much. TLS_OK: it is
 * done, what was not eaten is for tls_read(). Costs up to some milliseconds of computing when a flight of the peer is
 * complete. After any result but TLS_OK and TLS_MORE every later call says the same and does nothing. */
enum tls_result tls_handshake(struct tls *tls, const uint8_t *in, size_t count, size_t *eaten_r);
/* After the handshake: takes input until there is plaintext, at most one record. TLS_OK: *plain_count_r bytes, at
 * least one, stand in `plain`, which has room for TLS_OPEN_BYTES_MAX and is no part of the input; call again with the
 * rest. New keys (KeyUpdate, RFC 8446 4.6.3) are taken, and answered with the next record. Renegotiation is refused by
 * a warning, as RFC 5746 4.2 has it; who asks a fourth time is refused for good (TLS_BROKEN). Other results stay, as
 * those of tls_handshake() do. */
enum tls_result tls_read(struct tls *tls, const uint8_t *in, size_t count, size_t *eaten_r, uint8_t *plain,
                         size_t *plain_count_r);
/* After the handshake: seals up to TLS_RECORD_BYTES_MAX bytes, from where they lie, to `sealed`, which has room for
 * TLS_SEALED_BYTES_MAX: one record, behind a KeyUpdate if one is due. (A client of TLS 1.2 that asked for shorter ones,
 * RFC 6066 4, gets as many as it takes.) What was sealed has to be sent, before anything that is sealed or said later.
 * TLS_OK, or TLS_NO_MEMORY; what was said before, if the session has failed. Not after tls_close(). */
enum tls_result tls_seal(struct tls *tls, const uint8_t *plain, size_t count, uint8_t *sealed,
                         size_t *sealed_count_r);
/* Says close_notify, once and only if the session is open and has not failed. Reading may go on. */
void tls_close(struct tls *tls);

/* For logs and tests. "TLSv1.3", "TLS1-3-AES-128-GCM-SHA256", "" before they are agreed on. */
const char *tls_version(const struct tls *tls);
const char *tls_suite(const struct tls *tls);
/* What went wrong, in a few words, "" if nothing did; until the next call in this thread. */
const char *tls_reason(const struct tls *tls);
/* After the handshake: was an earlier session taken up again by its ticket? */
bool tls_is_resumed(const struct tls *tls);
