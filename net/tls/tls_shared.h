/* net/tls/tls_shared.h - a context inside, for net/tls/tls_context.c, which makes it, and net/tls/tls_shake.c, whose
 * handshakes use it. */
#pragma once

#include "net/tls/tls_certificate.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>

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
