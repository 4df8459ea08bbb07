/* net/tls/tls_context.c - what the handshakes of one thread share: suites, certificates, randomness.
 *
 * mbedTLS picks the suite of TLS 1.2 in our order, that of TLS 1.3 in the client's. */
#include "net/tls/tls_context.h"

#include "net/tls/tls_curve.h"
#include "net/tls/tls_error.h"
#include "net/tls/tls_files.h"
#include "net/tls/tls_hide.h"
#include "net/tls/tls_shared.h"
#include "net/tls/tls_tickets.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- what is offered ---- */

/* ECDHE and AEAD only. */
#define AES_128                                                                         \
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
#define AES_256                                                                         \
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384, MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, \
        MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
#define CHACHA20                                                                                    \
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
        MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256

static const int suites_with_aes[] = {AES_128, AES_256, CHACHA20, 0};
static const int suites_without_aes[] = {CHACHA20, AES_128, AES_256, 0};

/* TLS 1.2 takes the first that the client has too, 1.3 the first the client has made a key for. P-256 takes mbedTLS
 * half the time of x25519, and nettle half as long again. */
static const uint16_t groups_by_mbedtls[] = {MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1, MBEDTLS_SSL_IANA_TLS_GROUP_X25519,
                                             MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
static const uint16_t groups_by_nettle[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                            MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

/* SHA-2 only. PKCS#1 v1.5 is for TLS 1.2 and for signatures in certificates. */
static const uint16_t signatures[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_NONE,
};

static const char *protocols[] = {"http/1.1", NULL}; /* not const: mbedTLS' parameter */

/* Without instructions for it AES is slow, and leaks its key through the cache. */
static const int *suites(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_cpu_supports("aes") ? suites_with_aes : suites_without_aes;
#else
    return suites_without_aes;
#endif
}

/* ---- the certificate for a name ---- */

typedef bool is_for_name(const mbedtls_x509_crt *certificate, struct text name);

/* Offers mbedTLS all pairs for the name, which takes the one whose key and curve the client can use. */
static int offer(mbedtls_ssl_context *ssl, struct tls_context *context, struct text name, is_for_name *is_for,
                 bool *is_any_r)
{
    *is_any_r = false;
    for (size_t i = 0; i < context->files->count; i++) {
        struct tls_pair *pair = &context->pairs[i];
        if (!is_for(&pair->certificate, name)) continue;
        int error = mbedtls_ssl_set_hs_own_cert(ssl, &pair->certificate, &pair->key);
        if (error != 0) return error;
        *is_any_r = true;
    }
    return 0;
}

/* mbedTLS asks when it has read a ClientHello; twice if the client was told to try again. Without a pair for the name
 * it gets the default one and those that share its first name, as those of another kind of key do. */
static int choose_certificate(mbedtls_ssl_context *ssl)
{
    struct tls_context *context = mbedtls_ssl_get_user_data_p(ssl);
    struct tls_pair *first = &context->pairs[0];
    struct text name = {0};
    bool is_any;
    name.at = (const char *)mbedtls_ssl_get_hs_sni(ssl, &name.count);
    mbedtls_ssl_set_hs_own_cert(ssl, NULL, NULL);
    if (name.at != NULL) {
        int error = offer(ssl, context, name, tls_certificate_is_named, &is_any);
        if (error != 0 || is_any) return error;
        error = offer(ssl, context, name, tls_certificate_covers, &is_any);
        if (error != 0 || is_any) return error;
    }
    name = tls_certificate_first_name(&first->certificate);
    if (name.at == NULL) return mbedtls_ssl_set_hs_own_cert(ssl, &first->certificate, &first->key);
    return offer(ssl, context, name, tls_certificate_is_named, &is_any);
}

/* ---- life ---- */

static void init_parts(struct tls_context *context)
{
    mbedtls_entropy_init(&context->entropy);
    mbedtls_ctr_drbg_init(&context->rng);
    mbedtls_ssl_config_init(&context->config);
    mbedtls_x509_crt_init(&context->client_ca);
    for (size_t i = 0; i < context->files->count; i++) {
        mbedtls_x509_crt_init(&context->pairs[i].certificate);
        mbedtls_pk_init(&context->pairs[i].key);
    }
}

static int parse(struct tls_context *context)
{
    const struct tls_files *files = context->files;
    for (size_t i = 0; i < files->count; i++) {
        int error = tls_parse_certificate(&context->pairs[i].certificate, &files->certificates[i]);
        if (error == 0) error = tls_parse_key(&context->pairs[i].key, &files->keys[i]);
        if (error == 0) error = tls_hide_key(&context->pairs[i].key);
        if (error != 0) return error;
    }
    return files->client_ca.text != NULL ? tls_parse_certificate(&context->client_ca, &files->client_ca) : 0;
}

static int configure(struct tls_context *context, struct tls_ticket_keys *keys)
{
    mbedtls_ssl_config *config = &context->config;
    int error = mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                            MBEDTLS_SSL_PRESET_DEFAULT);
    if (error != 0) return error;
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &context->rng);
    mbedtls_ssl_conf_min_tls_version(config, context->files->is_1_3_only ? MBEDTLS_SSL_VERSION_TLS1_3
                                                                         : MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_3);
    mbedtls_ssl_conf_ciphersuites(config, suites());
    mbedtls_ssl_conf_groups(config, tls_curve_is_used() ? groups_by_nettle : groups_by_mbedtls);
    mbedtls_ssl_conf_sig_algs(config, signatures);
    /* Also a resumed session of TLS 1.3 makes new keys: who finds ticket keys reads nothing of the past with them. */
    mbedtls_ssl_conf_tls13_key_exchange_modes(config, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL);
    mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    mbedtls_ssl_conf_cert_cb(config, choose_certificate);
    if (context->files->client_ca.text != NULL) {
        mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
        mbedtls_ssl_conf_ca_chain(config, &context->client_ca, NULL);
    } else {
        mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_NONE);
        if (keys != NULL) mbedtls_ssl_conf_session_tickets_cb(config, tls_ticket_write, tls_ticket_read, keys);
    }
    return mbedtls_ssl_conf_alpn_protocols(config, protocols);
}

static enum rc explain(int error, const char *what, char *reason_r, size_t reason_size)
{
    if (tls_error_is_memory(error)) {
        snprintf(reason_r, reason_size, "There is no memory for %s.", what);
        return RC_ENOMEM;
    }
    snprintf(reason_r, reason_size, "mbedTLS refuses %s with error -0x%04x.", what, (unsigned)-error);
    return RC_EINVAL;
}

static enum rc set_up(struct tls_context *context, struct tls_ticket_keys *keys, char *reason_r, size_t reason_size)
{
    int error = mbedtls_ctr_drbg_seed(&context->rng, mbedtls_entropy_func, &context->entropy, NULL, 0);
    if (error != 0) {
        snprintf(reason_r, reason_size, "The kernel gives no random numbers (mbedTLS: -0x%04x).", (unsigned)-error);
        return RC_EKERNEL;
    }
    error = parse(context);
    if (error != 0) return explain(error, "the certificates and keys", reason_r, reason_size);
    error = configure(context, keys);
    return error == 0 ? RC_OK : explain(error, "the settings for TLS", reason_r, reason_size);
}

enum rc tls_context_new(struct tls_context **context_r, struct tls_files *files, struct tls_ticket_keys *keys,
                        char *reason_r, size_t reason_size)
{
    *context_r = NULL;
    struct tls_context *context = calloc(1, sizeof *context);
    if (context == NULL) {
        snprintf(reason_r, reason_size, "There is no memory for TLS.");
        return RC_ENOMEM;
    }
    context->references = 1;
    context->files = files;
    tls_files_hold(files);
    init_parts(context);
    enum rc rc = set_up(context, keys, reason_r, reason_size);
    if (rc == RC_OK) {
        *context_r = context;
    } else {
        tls_context_drop(context);
    }
    return rc;
}

void tls_context_hold(struct tls_context *context)
{
    context->references++;
}

void tls_context_drop(struct tls_context *context)
{
    if (context == NULL || --context->references > 0) return;
    mbedtls_ssl_config_free(&context->config);
    for (size_t i = 0; i < context->files->count; i++) {
        mbedtls_x509_crt_free(&context->pairs[i].certificate);
        mbedtls_pk_free(&context->pairs[i].key);
    }
    mbedtls_x509_crt_free(&context->client_ca);
    mbedtls_ctr_drbg_free(&context->rng);
    mbedtls_entropy_free(&context->entropy);
    tls_files_drop(context->files);
    free(context);
}
