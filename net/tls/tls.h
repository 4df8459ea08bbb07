/* net/tls/tls.h - TLS 1.2 and 1.3 with mbedTLS 3.6, over memory: ciphertext in, plaintext out, and back.
 *
 * No sockets, no files but those named for certificates, no threads. Nothing of mbedTLS shows here, so that how a
 * session keeps its memory can change behind this header.
 * Threads:   a context belongs to one thread, for keys and elliptic curves of mbedTLS must not be used from two; so
 *            do its sessions. Each shard makes its own from the same `struct tls_files`. tls_global_init() once,
 *            before.
 * Ownership: sessions hold their context; a context that was replaced goes with its last session.
 * Tickets:   resumption works across the contexts of all shards, which share ticket keys (struct tls_ticket_keys).
 * Memory:    36 KiB (TLS 1.2) or 41 KiB (TLS 1.3) for an idle session, 33 of them mbedTLS' two record buffers.
 * Errors:    of set-up: a result code, and a sentence of cause and cure. Of sessions: enum tls_result and a reason
 *            for logs; what a session has to say about its end (an alert) was handed to `output` by then. */
#pragma once

#include "core/rc.h"
#include "net/tls/tls_context.h"
#include "net/tls/tls_files.h"
#include "net/tls/tls_limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls;

/* The library and its version: "Mbed TLS 3.6.6"; static. */
const char *tls_library(void);

/* Main thread, once, before any other call. RC_ENOMEM, or RC_EKERNEL: no entropy. */
enum rc tls_global_init(void);

enum tls_result {
    TLS_OK,        /* something was done; see the call */
    TLS_MORE,      /* all input is eaten; more is needed */
    TLS_CLOSED,    /* the peer said close_notify: nothing more will come from it. We may go on writing. */
    TLS_NO_MEMORY, /* ours, mbedTLS' or of `output` */
    TLS_NOT_TLS,   /* the first byte begins no TLS handshake, and nothing was eaten: someone speaks HTTP here */
    TLS_ALERTED,   /* the peer sent a fatal alert */
    TLS_BROKEN,    /* what came breaks the protocol, or no version or suite is shared; the peer was sent an alert */
};

/* Where ciphertext that is to be sent is appended: whole records. An error makes the session fail, with
 * TLS_NO_MEMORY. */
typedef enum rc tls_output(void *owner, const uint8_t *bytes, size_t count);

/* NULL: out of memory. Holds the context. `owner` is given to `output`. */
struct tls *tls_new(struct tls_context *context, tls_output *output, void *owner);
/* Accepts NULL. Says nothing to the peer: tls_close() before, if the peer is to know. */
void tls_free(struct tls *tls);

/* Is the handshake done? Stays true. */
bool tls_is_open(const struct tls *tls);
/* Before tls_is_open(): takes as much of the input as the handshake needs; *eaten_r says how much. TLS_OK: it is
 * done, what was not eaten is for tls_read(). Costs up to some milliseconds of computing when a flight of the peer is
 * complete. After any result but TLS_OK and TLS_MORE every later call says the same and does nothing. */
enum tls_result tls_handshake(struct tls *tls, const uint8_t *in, size_t count, size_t *eaten_r);
/* After the handshake: takes input until there is plaintext, at most one record. TLS_OK: *plain_count_r bytes, at
 * least one, stand in `plain`, which has room for TLS_RECORD_BYTES_MAX; call again with the rest. Renegotiation is
 * refused by a warning, as RFC 5746 4.2 has it; who asks a fourth time is refused for good (TLS_BROKEN). Other results
 * stay, as those of tls_handshake() do. */
enum tls_result tls_read(struct tls *tls, const uint8_t *in, size_t count, size_t *eaten_r, uint8_t *plain,
                         size_t *plain_count_r);
/* After the handshake: seals up to TLS_WRITE_BYTES_MAX bytes as one record, handed to `output` in one call. (A client
 * of TLS 1.2 that asked for shorter ones, RFC 6066 4, gets as many as it takes.) TLS_OK, TLS_NO_MEMORY or TLS_BROKEN;
 * what was said before, if the session has failed. Not after tls_close(). */
enum tls_result tls_write(struct tls *tls, const uint8_t *plain, size_t count);
/* Says close_notify, once and only if the session is open and has not failed. Reading may go on. */
void tls_close(struct tls *tls);

/* For logs and tests. "TLSv1.3", "TLS1-3-AES-128-GCM-SHA256", "" before they are agreed on. */
const char *tls_version(const struct tls *tls);
const char *tls_suite(const struct tls *tls);
/* What went wrong, in a few words, "" if nothing did; until the next call in this thread. */
const char *tls_reason(const struct tls *tls);
/* After the handshake: was an earlier session taken up again by its ticket? */
bool tls_is_resumed(const struct tls *tls);
