/* tests/support/tls_certificate.h - certificates and keys made by mbedTLS when a test needs them; none is kept.
 *
 * tls_global_init() before. What fails aborts: it would be the test's own fault. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct made_certificate {
    char subject[64]; /* "CN=..." */
    char certificate[4096];
    char key[4096];
};

enum made_kind { MADE_P256, MADE_P384, MADE_P521, MADE_RSA_1024, MADE_RSA_2048 };

struct made_wish {
    enum made_kind kind;
    const char *subject;             /* the common name */
    const char *const *names;        /* DNS names, ended by NULL; NULL: none */
    struct made_certificate *issuer; /* NULL: signs itself */
    bool is_authority;
    bool is_signed_with_sha1;
    int from_year, to_year; /* of January 1st; 0: 2020 and 2100 */
};

void made_certificate(struct made_certificate *made, struct made_wish wish);
/* A file in memory with this text; its path, until the process ends. */
const char *made_file(const char *text);
