/* tests/support/tls_client.h - a TLS client over memory, with mbedTLS: what a test lets a server of ours talk to.
 *
 * It knows nothing of net/tls. Bytes for the server stand in `out`; take them with tls_client_taken(). Bytes of the
 * server are given with tls_client_give(). Calls return what mbedTLS said: 0 or a count, MBEDTLS_ERR_SSL_WANT_READ,
 * another error. psa_crypto_init() before. */
#pragma once

#include <mbedtls/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_CLIENT_RECORD_MAX = 16384 };

/* All may be zero. What is pointed to outlives the client. */
struct tls_client_wish {
    const char *name;      /* asked for by SNI and looked for in the certificate; NULL: neither */
    const char *authority; /* PEM: whom to trust; NULL: anybody */
    unsigned version;      /* 12, 13; 0: both */
    const int *suites;     /* ended by 0 */
    const uint16_t *groups;
    const uint16_t *signatures;
    const char **protocols;        /* ALPN, ended by NULL */
    const char *certificate, *key; /* PEM: to show if asked */
    bool renegotiates;
    unsigned char fragment;             /* MBEDTLS_SSL_MAX_FRAG_LEN_... */
    const mbedtls_ssl_session *session; /* to resume */
};

struct tls_client_bytes {
    uint8_t *at;
    size_t count, capacity;
};

/* False: out of memory. */
bool tls_client_append(struct tls_client_bytes *to, const uint8_t *bytes, size_t count);

/* Fields are to be read. */
struct tls_client {
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_x509_crt authority, certificate;
    mbedtls_pk_context key;
    struct tls_client_bytes out; /* for the server */
    struct tls_client_bytes in;  /* from the server, from `in_eaten` on */
    size_t in_eaten;
    bool is_open;                /* its handshake is done */
    mbedtls_ssl_session session; /* the newest that can be resumed */
    unsigned tickets;            /* how many came (TLS 1.3) */
};

/* NULL: out of memory or a bad wish. */
struct tls_client *tls_client_new(struct tls_client_wish wish);
void tls_client_free(struct tls_client *client);

bool tls_client_give(struct tls_client *client, const uint8_t *bytes, size_t count);
/* The first `count` bytes of `out` are done with. */
void tls_client_taken(struct tls_client *client, size_t count);

int tls_client_handshake(struct tls_client *client);
int tls_client_write(struct tls_client *client, const uint8_t *bytes, size_t count);
/* Tickets are taken on the way. */
int tls_client_read(struct tls_client *client, uint8_t *bytes, size_t count);
int tls_client_close(struct tls_client *client);
/* Asks for another handshake, also when it has asked before. */
int tls_client_renegotiate(struct tls_client *client);
int tls_client_alert(struct tls_client *client, unsigned char alert);
/* Keeps the session for tls_client_wish.session; TLS 1.2: after the handshake, 1.3: when a ticket has come. */
int tls_client_keep(struct tls_client *client);
/* The number of the alert behind MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE. */
unsigned tls_client_last_alert(const struct tls_client *client);
/* Does the common name of the certificate that was shown read so? */
bool tls_client_was_shown(const struct tls_client *client, const char *common_name);
