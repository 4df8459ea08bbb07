/* net/tls/tls.c - a session's life: a handshake by mbedTLS (net/tls/tls_shake.h), which gives way to records of our own
 * (net/tls/tls_session.h) when it is done. */
#include "net/tls/tls.h"

#include "net/tls/aead.h"
#include "net/tls/tls_curve.h"
#include "net/tls/tls_hash.h"
#include "net/tls/tls_session.h"
#include "net/tls/tls_shake.h"
#include "net/tls/tls_sign.h"

#include <assert.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(TLS_SEALED_BYTES_MAX >= TLS_RECORD_BYTES_MAX + TLS_RECORD_BYTES_MAX / 512 * (5 + 8 + AEAD_TAG_BYTES),
               "the shortest records that a client may ask for, RFC 6066 4");

enum { FIRST_BYTE = TLS_CONTENT_HANDSHAKE /* of a record with a ClientHello: RFC 8446 5.1 */ };

enum rc tls_global_init(void)
{
    psa_status_t status = psa_crypto_init();
    if (status == PSA_ERROR_INSUFFICIENT_MEMORY) return RC_ENOMEM;
    if (status != PSA_SUCCESS) return RC_EKERNEL;
    tls_hash_begin();
    return aead_global_init();
}

bool tls_use_fast_curves(void)
{
    tls_sign_begin();
    return tls_curve_begin();
}

bool tls_has_fast_curves(void)
{
    return tls_curve_is_used();
}

/* ---- what sessions share ---- */

struct tls_sessions *tls_sessions_new(void)
{
    struct tls_sessions *sessions = calloc(1, sizeof *sessions);
    if (sessions == NULL) return NULL;
    slab_init(&sessions->slab, sizeof(struct tls));
    sessions->aead = aead_new();
    if (sessions->aead != NULL) return sessions;
    free(sessions);
    return NULL;
}

void tls_sessions_free(struct tls_sessions *sessions)
{
    if (sessions == NULL) return;
    slab_fini(&sessions->slab);
    aead_free(sessions->aead);
    free(sessions);
}

/* ---- life ---- */

struct tls *tls_new(struct tls_sessions *sessions, struct tls_context *context, tls_output *output, void *owner)
{
    struct tls *tls = slab_take(&sessions->slab);
    if (tls == NULL) return NULL;
    tls->sessions = sessions;
    tls->output = output;
    tls->owner = owner;
    tls->shake = tls_shake_new(context, output, owner);
    if (tls->shake != NULL) return tls;
    slab_give(&sessions->slab, tls);
    return NULL;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL) return;
    if (tls->is_open) {
        tls_session_fini(tls);
    } else {
        tls_shake_free(tls->shake);
    }
    slab_give(&tls->sessions->slab, tls); /* wipes it */
}

bool tls_is_open(const struct tls *tls)
{
    return tls->is_open;
}

/* ---- handshake ---- */

/* mbedTLS goes, with the certificate. */
static enum tls_result open_session(struct tls *tls)
{
    struct tls_agreed agreed;
    enum tls_result result = tls_shake_take(tls->shake, &agreed);
    if (result == TLS_OK) {
        tls_shake_free(tls->shake);
        tls->part = NULL;
        tls->records = agreed.records;
        tls->suite = agreed.suite;
        tls->out_max = agreed.out_max;
        tls->is_resumed = agreed.is_resumed;
        tls->is_open = true;
    }
    mbedtls_platform_zeroize(&agreed, sizeof agreed);
    return result;
}

enum tls_result tls_handshake(struct tls *tls, const uint8_t *in, size_t count, size_t *eaten_r)
{
    assert(!tls->is_open);
    *eaten_r = 0;
    if (tls->result != TLS_OK) return tls->result;
    if (count == 0) return TLS_MORE;
    if (!tls->has_begun && in[0] != FIRST_BYTE) return tls->result = TLS_NOT_TLS;
    tls->has_begun = true;
    enum tls_result result = tls_shake_run(tls->shake, in, count, eaten_r);
    if (result == TLS_OK) result = open_session(tls);
    if (result != TLS_MORE) tls->result = result;
    return result;
}

/* ---- records ---- */

enum tls_result tls_read(struct tls *tls, const uint8_t *in, size_t count, size_t *eaten_r, uint8_t *plain,
                         size_t *plain_count_r)
{
    assert(tls->is_open);
    return tls_session_read(tls, in, count, eaten_r, plain, plain_count_r);
}

enum tls_result tls_seal(struct tls *tls, const uint8_t *plain, size_t count, uint8_t *sealed, size_t *sealed_count_r)
{
    assert(tls->is_open && !tls->is_closed && count <= TLS_RECORD_BYTES_MAX);
    return tls_session_seal(tls, plain, count, sealed, sealed_count_r);
}

void tls_close(struct tls *tls)
{
    if (tls->is_open) tls_session_close(tls);
}

/* ---- for logs ---- */

const char *tls_version(const struct tls *tls)
{
    if (!tls->is_open) return tls_shake_version(tls->shake);
    return tls->records.is_13 ? "TLSv1.3" : "TLSv1.2";
}

const char *tls_suite(const struct tls *tls)
{
    return tls->is_open ? mbedtls_ssl_get_ciphersuite_name(tls->suite) : tls_shake_suite(tls->shake);
}

bool tls_is_resumed(const struct tls *tls)
{
    return tls->is_resumed;
}

const char *tls_reason(const struct tls *tls)
{
    static _Thread_local char text[128];
    uint8_t alert = tls->is_open ? tls->alert : tls_shake_alert(tls->shake);
    switch (tls->result) {
    case TLS_OK:
    case TLS_MORE:
        return "";
    case TLS_CLOSED:
        return "the peer closed the session";
    case TLS_NO_MEMORY:
        return "out of memory";
    case TLS_NOT_TLS:
        return "not TLS";
    case TLS_ALERTED:
        snprintf(text, sizeof text, "the peer says: %s (alert %u)", tls_alert_text(alert), alert);
        return text;
    case TLS_BROKEN:
        return tls->is_open ? tls_fault_text(tls->fault) : tls_shake_reason(tls->shake);
    }
    return "";
}

const char *tls_library(void)
{
    return MBEDTLS_VERSION_STRING_FULL;
}

static const char *library(bool is_nettle)
{
    return is_nettle ? "nettle" : "mbedTLS";
}

const char *tls_libraries(void)
{
    static _Thread_local char text[256];
    size_t count =
        (size_t)snprintf(text, sizeof text, "X25519 and P-256 by %s, ECDSA on P-256 by %s, SHA-256 by %s",
                         library(tls_curve_is_used()), library(tls_sign_is_used()), library(tls_hash_is_used()));
    for (enum aead_kind kind = 0; kind < AEAD_KINDS_MAX; kind++) {
        count +=
            (size_t)snprintf(text + count, sizeof text - count, ", %s by %s", aead_name(kind), aead_library(kind));
    }
    return text;
}
