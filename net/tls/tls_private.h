/* net/tls/tls_private.h - what the files of net/tls know of each other. Only they include this, and mbedTLS' headers of
 * TLS, certificates and keys. */
#pragma once

#include "core/text.h"
#include "net/tls/tls.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

/* The text of a PEM file; count includes the zero behind it, as mbedTLS wants it. */
struct tls_pem {
    char *name;
    unsigned char *text;
    size_t count;
};

struct tls_files {
    unsigned references;
    size_t count;
    struct tls_pem certificates[TLS_CERTIFICATES_MAX];
    struct tls_pem keys[TLS_CERTIFICATES_MAX];
    struct tls_pem client_ca; /* text NULL: none */
    int64_t expire_at;
    size_t expires_first; /* index of that certificate */
};

/* A certificate with its chain, and its key, as one thread uses them. */
struct tls_pair {
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
};

/* Zeroed, it can be given to tls_context_drop() once `references` is 1. */
struct tls_context {
    unsigned references;
    struct tls_files *files;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context rng;
    mbedtls_ssl_config config;
    struct tls_pair pairs[TLS_CERTIFICATES_MAX];
    mbedtls_x509_crt client_ca;
};

struct tls {
    mbedtls_ssl_context ssl;
    struct tls_context *context;
    tls_output *output;
    void *owner;
    const uint8_t *in; /* the caller's, for the duration of a call */
    size_t in_count;
    int error;              /* of mbedTLS, behind `result` */
    enum tls_result result; /* TLS_OK: goes on */
    uint32_t refusals;      /* of renegotiation */
    uint8_t alert;          /* from the peer, behind TLS_ALERTED */
    bool has_begun;         /* a first byte came */
    bool is_open;
    bool is_resumed;
    bool is_reading;     /* a record is being opened: what is said now refuses a renegotiation */
    bool is_closed;      /* we said close_notify */
    bool has_spoken;     /* something was handed to `output` since this was cleared */
    bool output_is_full; /* `output` failed */
};

/* Is it one that means: out of memory? mbedTLS adds the code of a lower layer to its own. */
bool tls_error_is_memory(int error);

/* Parses into certificates and keys that were made ready by mbedTLS' init functions. 0, or mbedTLS' error; a chain
 * counts as bad if one of it is. */
int tls_parse_certificate(mbedtls_x509_crt *certificate, const struct tls_pem *pem);
int tls_parse_key(mbedtls_pk_context *key, const struct tls_pem *pem);

/* Is the certificate made out for this name, letter by letter? Or for a wildcard that stands for its first label? */
bool tls_certificate_is_named(const mbedtls_x509_crt *certificate, struct text name);
bool tls_certificate_covers(const mbedtls_x509_crt *certificate, struct text name);
/* The first name it is made out for; .at is NULL if there is none. */
struct text tls_certificate_first_name(const mbedtls_x509_crt *certificate);

/* mbedTLS' callbacks for tickets; `keys` is a struct tls_ticket_keys. */
int tls_ticket_write(void *keys, const mbedtls_ssl_session *session, unsigned char *start, const unsigned char *end,
                     size_t *count_r, uint32_t *lifetime_r);
int tls_ticket_read(void *keys, mbedtls_ssl_session *session, unsigned char *ticket, size_t count);
