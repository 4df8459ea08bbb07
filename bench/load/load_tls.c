/* bench/load/load_tls.c - mbedTLS as a client, fed from memory. */
#include "bench/load/load_tls.h"

#include "core/span.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES_MAX 16384

struct load_tls_context {
    mbedtls_ssl_config config;
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context random;
    const char *host;
    bool resumes;
    bool has_session;
    mbedtls_ssl_session session; /* of the first, for all others */
    uint8_t plain[RECORD_BYTES_MAX];
};

struct load_tls {
    struct load_tls_context *context;
    mbedtls_ssl_context ssl;
    struct bytes *in; /* during load_tls_take() */
    struct span *out;
    bool is_open;
};

/* In the order of browsers on machines that have AES in hardware: what a server measures is what its clients choose. */
static const int suites[] = {
    MBEDTLS_TLS1_3_AES_128_GCM_SHA256,
    MBEDTLS_TLS1_3_AES_256_GCM_SHA384,
    MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    0,
};

struct load_tls_context *load_tls_context_new(const char *host, bool resume)
{
    struct load_tls_context *context = calloc(1, sizeof *context);
    if (context == NULL) return NULL;
    context->host = host;
    context->resumes = resume;
    mbedtls_ssl_config_init(&context->config);
    mbedtls_entropy_init(&context->entropy);
    mbedtls_ctr_drbg_init(&context->random);
    mbedtls_ssl_session_init(&context->session);
    bool is_ready = psa_crypto_init() == PSA_SUCCESS &&
                    mbedtls_ctr_drbg_seed(&context->random, mbedtls_entropy_func, &context->entropy, NULL, 0) == 0 &&
                    mbedtls_ssl_config_defaults(&context->config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                                MBEDTLS_SSL_PRESET_DEFAULT) == 0;
    if (!is_ready) {
        load_tls_context_free(context);
        return NULL;
    }
    mbedtls_ssl_conf_rng(&context->config, mbedtls_ctr_drbg_random, &context->random);
    mbedtls_ssl_conf_authmode(&context->config, MBEDTLS_SSL_VERIFY_NONE);
    mbedtls_ssl_conf_ciphersuites(&context->config, suites);
    mbedtls_ssl_conf_session_tickets(&context->config, MBEDTLS_SSL_SESSION_TICKETS_ENABLED);
    /* Without it tickets of TLS 1.3 are passed over in silence. */
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(&context->config,
                                                             MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
    return context;
}

void load_tls_context_free(struct load_tls_context *context)
{
    if (context == NULL) return;
    mbedtls_ssl_session_free(&context->session);
    mbedtls_ssl_config_free(&context->config);
    mbedtls_ctr_drbg_free(&context->random);
    mbedtls_entropy_free(&context->entropy);
    free(context);
}

/* ---- what mbedTLS calls ---- */

static int give(void *owner, const unsigned char *bytes, size_t count)
{
    struct load_tls *tls = owner;
    return span_append(&tls->out, bytes, (uint32_t)count) == RC_OK ? (int)count : MBEDTLS_ERR_SSL_ALLOC_FAILED;
}

static int take(void *owner, unsigned char *to, size_t room)
{
    struct load_tls *tls = owner;
    if (tls->in == NULL || tls->in->count == 0) return MBEDTLS_ERR_SSL_WANT_READ;
    size_t count = tls->in->count < room ? tls->in->count : room;
    memcpy(to, bytes_take(tls->in, count), count);
    return (int)count;
}

/* ---- sessions ---- */

struct load_tls *load_tls_new(struct load_tls_context *context)
{
    struct load_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) return NULL;
    tls->context = context;
    mbedtls_ssl_init(&tls->ssl);
    if (mbedtls_ssl_setup(&tls->ssl, &context->config) != 0 ||
        mbedtls_ssl_set_hostname(&tls->ssl, context->host) != 0 ||
        (context->has_session && mbedtls_ssl_set_session(&tls->ssl, &context->session) != 0)) {
        load_tls_free(tls);
        return NULL;
    }
    mbedtls_ssl_set_bio(&tls->ssl, tls, give, take, NULL);
    return tls;
}

void load_tls_free(struct load_tls *tls)
{
    if (tls == NULL) return;
    mbedtls_ssl_free(&tls->ssl);
    span_free(&tls->out);
    free(tls);
}

static void keep_session(struct load_tls *tls)
{
    struct load_tls_context *context = tls->context;
    if (!context->resumes || context->has_session) return;
    context->has_session = mbedtls_ssl_get_session(&tls->ssl, &context->session) == 0;
}

static enum load_tls_result take_handshake(struct load_tls *tls)
{
    int result = mbedtls_ssl_handshake(&tls->ssl);
    if (result == MBEDTLS_ERR_SSL_WANT_READ) return LOAD_TLS_MORE;
    if (result != 0) return LOAD_TLS_ENDED;
    tls->is_open = true;
    if (mbedtls_ssl_get_version_number(&tls->ssl) == MBEDTLS_SSL_VERSION_TLS1_2) keep_session(tls);
    return LOAD_TLS_OK;
}

static enum load_tls_result take_record(struct load_tls *tls, struct bytes *plain_r)
{
    for (;;) {
        uint8_t *plain = tls->context->plain;
        int result = mbedtls_ssl_read(&tls->ssl, plain, RECORD_BYTES_MAX);
        if (result > 0) {
            *plain_r = bytes_of(plain, (size_t)result);
            return LOAD_TLS_OK;
        }
        if (result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
            keep_session(tls);
        } else if (result != MBEDTLS_ERR_SSL_WANT_READ) {
            return LOAD_TLS_ENDED;
        } else if (tls->in->count == 0) { /* it also wants to be called again after a message of its own */
            return LOAD_TLS_MORE;
        }
    }
}

enum load_tls_result load_tls_take(struct load_tls *tls, struct bytes *in, struct bytes *plain_r)
{
    *plain_r = (struct bytes){0};
    tls->in = in;
    enum load_tls_result result = tls->is_open ? take_record(tls, plain_r) : take_handshake(tls);
    tls->in = NULL;
    return result;
}

bool load_tls_is_open(const struct load_tls *tls)
{
    return tls->is_open;
}

enum rc load_tls_seal(struct load_tls *tls, const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        int result = mbedtls_ssl_write(&tls->ssl, bytes, count);
        if (result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) { /* had come before, and is looked at now */
            keep_session(tls);
            continue;
        }
        if (result <= 0) return RC_ENOMEM; /* what gathers grows as long as there is memory */
        bytes += result;
        count -= (size_t)result;
    }
    return RC_OK;
}

struct span *load_tls_out(struct load_tls *tls)
{
    struct span *out = tls->out;
    tls->out = NULL;
    return out;
}
