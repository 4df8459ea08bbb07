/* net/tls/tls_call.h - TLS 1.2 and 1.3 as a client has it, over a socket that does not wait: mbedTLS' handshake and
 * records, for the few connections that this server makes to others.
 *
 * Servers have to show a certificate that is signed by somebody trusted and made out for their host.
 * Threads:   trust belongs to one thread, with all calls under it.
 * Ownership: trust outlives its calls; the socket stays the caller's, and is not closed here.
 * Memory:    some 45 KB for each call, as long as it lasts. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_call;
struct tls_trust;

/* PEM files; NULL or "": none. */
struct tls_trust_files {
    const char *ca;   /* who may have signed; none: those in TLS_TRUST_SYSTEM */
    const char *cert; /* what a server is shown that asks for one: a certificate, and its chain */
    const char *key;  /* without passphrase */
};

#define TLS_TRUST_SYSTEM "/etc/ssl/certs/ca-certificates.crt"

/* RC_ENOENT: a file cannot be read; RC_EINVAL; RC_ENOMEM; RC_EKERNEL: no randomness; and a reason that names the file,
 * cause and cure. Any thread may make it, the first before there are others that use TLS. */
enum rc tls_trust_new(struct tls_trust **trust_r, const struct tls_trust_files *files, char *reason_r,
                      size_t reason_size);
/* Accepts NULL. */
void tls_trust_free(struct tls_trust *trust);

enum tls_call_result {
    TLS_CALL_OK,
    TLS_CALL_WANTS_READ, /* poll for it, then call again with the same */
    TLS_CALL_WANTS_WRITE,
    TLS_CALL_CLOSED,    /* the other side has ended the session */
    TLS_CALL_RESET,     /* the socket is broken; errno says why */
    TLS_CALL_UNTRUSTED, /* its certificate is not to be trusted */
    TLS_CALL_FAILED,    /* no TLS, no version or suite is shared, an alert came, out of memory */
};

/* `host`: the name or number that its certificate has to have. NULL: out of memory. */
struct tls_call *tls_call_new(struct tls_trust *trust, const char *host, int socket);
/* Says close_notify if the socket takes it at once. Accepts NULL. */
void tls_call_free(struct tls_call *call);

/* The handshake, until OK. */
enum tls_call_result tls_call_shake(struct tls_call *call);
/* OK: *count_r bytes, at least one. Call until it wants something: what it has read itself, poll() does not see. */
enum tls_call_result tls_call_read(struct tls_call *call, void *to, size_t size, size_t *count_r);
/* OK: *count_r bytes have gone, at least one. Asked again after WANTS_*, the first bytes are those of before, and there
 * are not fewer. */
enum tls_call_result tls_call_write(struct tls_call *call, const void *from, size_t count, size_t *count_r);

/* What was wrong with the last handshake, read or write, in mbedTLS' words, on one line; the call's. */
const char *tls_call_reason(const struct tls_call *call);
