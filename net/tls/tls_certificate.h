/* net/tls/tls_certificate.h - certificates and keys as text, and parsed by mbedTLS; which names they are made out for.
 * For the files of net/tls alone. */
#pragma once

#include "core/text.h"
#include "net/tls/tls_certificate_facts.h"
#include "net/tls/tls_limits.h"

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text of a PEM file, as a secret; count includes the zero behind it, as mbedTLS wants it. */
struct tls_pem {
    char *name;
    unsigned char *text;
    size_t count;
};

/* The files of certificates and keys, as net/tls/tls_files.c has read and checked them. */
struct tls_files {
    unsigned references;
    size_t count;
    struct tls_pem certificates[TLS_CERTIFICATES_MAX];
    struct tls_pem keys[TLS_CERTIFICATES_MAX];
    struct tls_pem client_ca; /* text NULL: none */
    bool is_1_3_only;
    struct tls_certificate_facts facts[TLS_CERTIFICATES_MAX];
    int64_t expire_at;
    size_t expires_first; /* index of that certificate */
};

/* A certificate with its chain, and its key, as one thread uses them. */
struct tls_pair {
    mbedtls_x509_crt certificate;
    mbedtls_pk_context key;
};

/* Parses into certificates and keys that were made ready by mbedTLS' init functions. 0, or mbedTLS' error; a chain
 * counts as bad if one of it is. */
int tls_parse_certificate(mbedtls_x509_crt *certificate, const struct tls_pem *pem);
int tls_parse_key(mbedtls_pk_context *key, const struct tls_pem *pem);

/* Is the certificate made out for this name, letter by letter? Or for a wildcard that stands for its first label? */
bool tls_certificate_is_named(const mbedtls_x509_crt *certificate, struct text name);
bool tls_certificate_covers(const mbedtls_x509_crt *certificate, struct text name);
/* All of them, with commas between; those for which there is no room are "..." at the end. text_size is 8 or more. */
void tls_certificate_names(const mbedtls_x509_crt *certificate, char *text_r, size_t text_size);
/* The first name it is made out for; .at is NULL if there is none. */
struct text tls_certificate_first_name(const mbedtls_x509_crt *certificate);
