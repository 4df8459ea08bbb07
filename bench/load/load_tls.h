/* bench/load/load_tls.h - the client's end of TLS, over memory: what a connection of ringcast-load to wss:// has
 * besides.
 *
 * The server's certificate is not looked at: a load tool measures, and development certificates are signed by nobody.
 * Threads: one. Sessions share a configuration, and with `resume` the session of whoever was first. */
#pragma once

#include "core/bytes.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_tls;         /* one connection's */
struct load_tls_context; /* of all of a thread's */
struct span;

/* NULL: out of memory, or no randomness. The first must be made before there are threads. */
struct load_tls_context *load_tls_context_new(const char *host, bool resume);
void load_tls_context_free(struct load_tls_context *context);

/* NULL: out of memory. */
struct load_tls *load_tls_new(struct load_tls_context *context);
void load_tls_free(struct load_tls *tls);

enum load_tls_result {
    LOAD_TLS_OK,    /* handshake: it is done; read: there is plaintext */
    LOAD_TLS_MORE,  /* all is eaten */
    LOAD_TLS_ENDED, /* the server ended the session, or broke it */
};

/* Takes ciphertext; call until it says MORE. Ciphertext to be sent gathers in *out. *plain_r lives until the next
 * call. */
enum load_tls_result load_tls_take(struct load_tls *tls, struct bytes *in, struct bytes *plain_r);
bool load_tls_is_open(const struct load_tls *tls);
/* Seals plaintext behind what gathers already. */
enum rc load_tls_seal(struct load_tls *tls, const uint8_t *plain, size_t count);
/* What is to be sent, the caller's now; NULL: nothing. */
struct span *load_tls_out(struct load_tls *tls);
