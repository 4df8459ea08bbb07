/* tests/support/tls_server.h - what most tests of TLS begin with: an authority, a certificate for server.test, and a
 * context with it. */
#pragma once

#include "net/tls/tls.h"
#include "tests/support/tls_certificate.h"
#include "tests/support/tls_link.h"

struct tls_server {
    struct made_certificate authority, pair;
    struct tls_context *context;
};

/* `keys` and `client_ca` (PEM text) may be NULL. */
void tls_server_start(struct tls_server *server, enum made_kind kind, struct tls_ticket_keys *keys,
                      const char *client_ca);
void tls_server_stop(struct tls_server *server);
/* A client that knows the name and trusts the authority. */
struct tls_client_wish tls_server_wish(const struct tls_server *server, unsigned version);
/* Such a client and a session that have shaken hands, or an abort that says why not. */
void tls_server_join(const struct tls_server *server, struct tls_link *link, unsigned version);
/* A context of these pairs, the first is the default. */
struct tls_context *tls_server_context(const struct made_certificate *const *pairs, size_t count,
                                       struct tls_ticket_keys *keys, const char *client_ca);
