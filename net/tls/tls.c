/* net/tls/tls.c - sessions: mbedTLS between a cursor over the caller's bytes and the caller's output.
 *
 * mbedTLS asks for exactly the bytes of the record it is at, so what is left of the input after a handshake belongs
 * to tls_read(). It sends an alert on its own for some errors and not for others; here every failure gets one. Some
 * members of mbedTLS' session are used though they are private, for there is no other way: read are the state (are the
 * tickets out; was a certificate shown, or the session resumed?), and the record or message that holds an alert of
 * the peer; set are the keys of what we send while TLS 1.3 waits for the client's last flight. */
#include "net/tls/tls.h"

#include "net/tls/tls_error.h"
#include "net/tls/tls_shared.h"

#include <assert.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_BYTE = MBEDTLS_SSL_MSG_HANDSHAKE, /* of a record with a ClientHello: RFC 8446 5.1 */
    RECORD_HEADER_BYTES = 5,
    ALERT_BYTES = 2, /* level, number */
    RENEGOTIATIONS_MAX = 3,
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

enum rc tls_global_init(void)
{
    psa_status_t status = psa_crypto_init();
    if (status == PSA_SUCCESS) return RC_OK;
    return status == PSA_ERROR_INSUFFICIENT_MEMORY ? RC_ENOMEM : RC_EKERNEL;
}

/* ---- input and output ---- */

/* Did the peer ask for another handshake too often? Each such wish is answered with a warning, and nothing else is said
 * while records are read. */
static bool has_nagged(const struct tls *tls)
{
    return tls->refusals > RENEGOTIATIONS_MAX;
}

static int take_input(void *session, unsigned char *to, size_t count)
{
    struct tls *tls = session;
    if (tls->in_count == 0 || has_nagged(tls)) return MBEDTLS_ERR_SSL_WANT_READ;
    if (count > tls->in_count) count = tls->in_count;
    memcpy(to, tls->in, count);
    tls->in += count;
    tls->in_count -= count;
    return (int)count;
}

static int give_output(void *session, const unsigned char *from, size_t count)
{
    struct tls *tls = session;
    tls->has_spoken = true;
    if (tls->is_reading) tls->refusals++;
    if (tls->output_is_full || tls->output(tls->owner, from, count) != RC_OK) {
        tls->output_is_full = true;
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    return (int)count;
}

/* ---- failing ---- */

/* The alert for an error that mbedTLS sends none for. */
static uint8_t alert_for(int error)
{
    switch (error) {
    case MBEDTLS_ERR_SSL_INVALID_MAC:
        return MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC;
    case MBEDTLS_ERR_SSL_BAD_INPUT_DATA: /* said of a record that is longer than mbedTLS' buffer */
        return MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW;
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
    case MBEDTLS_ERR_SSL_DECODE_ERROR:
        return MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR;
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
    case MBEDTLS_ERR_SSL_UNEXPECTED_RECORD:
        return MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE;
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION;
    case MBEDTLS_ERR_SSL_ILLEGAL_PARAMETER:
        return MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER;
    case MBEDTLS_ERR_SSL_UNSUPPORTED_EXTENSION:
        return MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_EXT;
    case MBEDTLS_ERR_SSL_BAD_CERTIFICATE:
        return MBEDTLS_SSL_ALERT_MSG_BAD_CERT;
    case MBEDTLS_ERR_SSL_INTERNAL_ERROR:
    case MBEDTLS_ERR_SSL_COUNTER_WRAPPING:
        return MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR;
    default:
        return tls_error_is_memory(error) ? MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR
                                          : MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE;
    }
}

static enum tls_result result_of(int error)
{
    if (error == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return TLS_CLOSED;
    if (error == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) return TLS_ALERTED;
    return tls_error_is_memory(error) ? TLS_NO_MEMORY : TLS_BROKEN;
}

/* Did an alert come in plain text, where mbedTLS expected a sealed record? So clients of TLS 1.3 say that they do not
 * trust our certificate, if they have no keys to write with yet. */
static bool is_plain_alert(const struct tls *tls)
{
    const uint8_t *header = tls->ssl.MBEDTLS_PRIVATE(in_hdr);
    return !tls->is_open && header[0] == MBEDTLS_SSL_MSG_ALERT && header[3] == 0 && header[4] == ALERT_BYTES;
}

/* The session ends here; an alert goes out unless mbedTLS sent one or none is called for. */
static enum tls_result fail(struct tls *tls, int error, bool alert_is_sent)
{
    tls->error = error;
    tls->result = tls->output_is_full ? TLS_NO_MEMORY : result_of(error);
    if (error == MBEDTLS_ERR_SSL_INVALID_MAC && is_plain_alert(tls)) {
        tls->result = TLS_ALERTED;
        tls->alert = tls->ssl.MBEDTLS_PRIVATE(in_hdr)[RECORD_HEADER_BYTES + 1];
    } else if (tls->result == TLS_ALERTED) {
        tls->alert = tls->ssl.MBEDTLS_PRIVATE(in_msg)[1];
    }
    if (tls->result != TLS_BROKEN && tls->result != TLS_NO_MEMORY) return tls->result;
    if (!alert_is_sent && !tls->output_is_full)
        mbedtls_ssl_send_alert_message(&tls->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert_for(error));
    return tls->result;
}

/* ---- life ---- */

struct tls *tls_new(struct tls_context *context, tls_output *output, void *owner)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) return NULL;
    tls->context = context;
    tls->output = output;
    tls->owner = owner;
    tls_context_hold(context);
    mbedtls_ssl_init(&tls->ssl);
    if (mbedtls_ssl_setup(&tls->ssl, &context->config) != 0) {
        tls_free(tls);
        return NULL;
    }
    mbedtls_ssl_set_user_data_p(&tls->ssl, context); /* for the choice of a certificate */
    mbedtls_ssl_set_bio(&tls->ssl, tls, give_output, take_input, NULL);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL) return;
    mbedtls_ssl_free(&tls->ssl);
    tls_context_drop(tls->context);
    free(tls);
}

bool tls_is_open(const struct tls *tls)
{
    return tls->is_open;
}

/* ---- handshake ---- */

static int state_of(const struct tls *tls)
{
    return tls->ssl.MBEDTLS_PRIVATE(state);
}

/* RFC 8446 4.4.4: behind our Finished we write with the keys of the application, but mbedTLS goes on with those of the
 * handshake until the client's Finished has come. Nothing is said meanwhile but the alert that refuses the client: it
 * could not be read. (mbedTLS then sets the same keys, and counts records from 0 as here.) */
static void change_keys(struct tls *tls)
{
    mbedtls_ssl_context *ssl = &tls->ssl;
    if (mbedtls_ssl_get_version_number(ssl) != MBEDTLS_SSL_VERSION_TLS1_3) return;
    ssl->MBEDTLS_PRIVATE(transform_out) = ssl->MBEDTLS_PRIVATE(transform_application);
    memset(ssl->MBEDTLS_PRIVATE(cur_out_ctr), 0, sizeof ssl->MBEDTLS_PRIVATE(cur_out_ctr));
}

/* A step reads one message or writes one. A step that fails and has spoken has sent its alert. */
static enum tls_result step(struct tls *tls)
{
    for (;;) {
        size_t before = tls->in_count;
        bool is_finishing = state_of(tls) == MBEDTLS_SSL_SERVER_FINISHED;
        if (state_of(tls) == MBEDTLS_SSL_SERVER_CERTIFICATE) tls->is_resumed = false;
        tls->has_spoken = false;
        int error = mbedtls_ssl_handshake_step(&tls->ssl);
        if (error == 0 && is_finishing) change_keys(tls);
        if (error == 0) return TLS_OK;
        if (error != MBEDTLS_ERR_SSL_WANT_READ) return fail(tls, error, tls->has_spoken);
        if (tls->in_count == 0) return TLS_MORE;
        if (tls->in_count == before) return fail(tls, MBEDTLS_ERR_SSL_INTERNAL_ERROR, false);
    }
}

static enum tls_result run_handshake(struct tls *tls)
{
    /* mbedtls_ssl_is_handshake_over() says yes before the tickets of TLS 1.3 are out. */
    while (state_of(tls) != MBEDTLS_SSL_HANDSHAKE_OVER) {
        enum tls_result result = step(tls);
        if (result != TLS_OK) return result;
    }
    tls->is_open = true;
    return TLS_OK;
}

enum tls_result tls_handshake(struct tls *tls, const uint8_t *in, size_t count, size_t *eaten_r)
{
    assert(!tls->is_open);
    *eaten_r = 0;
    if (tls->result != TLS_OK) return tls->result;
    if (count == 0) return TLS_MORE;
    if (!tls->has_begun && in[0] != FIRST_BYTE) return tls->result = TLS_NOT_TLS;
    if (!tls->has_begun) tls->is_resumed = true; /* until a certificate has to be shown */
    tls->has_begun = true;
    tls->in = in;
    tls->in_count = count;
    enum tls_result result = run_handshake(tls);
    *eaten_r = count - tls->in_count;
    tls->in = NULL;
    tls->in_count = 0;
    return result;
}

/* ---- records ---- */

static enum tls_result run_read(struct tls *tls, uint8_t *plain, size_t *plain_count_r)
{
    for (;;) {
        size_t before = tls->in_count;
        tls->is_reading = true;
        int count = mbedtls_ssl_read(&tls->ssl, plain, TLS_RECORD_BYTES_MAX);
        tls->is_reading = false;
        if (count > 0) {
            *plain_count_r = (size_t)count;
            return TLS_OK;
        }
        if (count == 0) continue; /* an empty record, and not the end: our input never says so */
        if (has_nagged(tls)) return fail(tls, MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, false);
        /* Of a bad record mbedTLS tells the peer itself, of nothing else that can be wrong after the handshake. */
        if (count != MBEDTLS_ERR_SSL_WANT_READ) return fail(tls, count, count == MBEDTLS_ERR_SSL_INVALID_MAC);
        if (tls->in_count == 0) return TLS_MORE;
        if (tls->in_count == before) return fail(tls, MBEDTLS_ERR_SSL_INTERNAL_ERROR, false);
    }
}

enum tls_result tls_read(struct tls *tls, const uint8_t *in, size_t count, size_t *eaten_r, uint8_t *plain,
                         size_t *plain_count_r)
{
    assert(tls->is_open);
    *eaten_r = *plain_count_r = 0;
    if (tls->result != TLS_OK) return tls->result;
    tls->in = in;
    tls->in_count = count;
    enum tls_result result = run_read(tls, plain, plain_count_r);
    *eaten_r = count - tls->in_count;
    tls->in = NULL;
    tls->in_count = 0;
    return result;
}

enum tls_result tls_write(struct tls *tls, const uint8_t *plain, size_t count)
{
    assert(tls->is_open && !tls->is_closed && count <= TLS_WRITE_BYTES_MAX);
    if (tls->result != TLS_OK && tls->result != TLS_CLOSED) return tls->result;
    do { /* once, but for clients that asked for short records; an empty record is sealed too */
        int sealed = mbedtls_ssl_write(&tls->ssl, plain, count);
        if (sealed < 0) return fail(tls, sealed, false);
        plain += sealed;
        count -= (size_t)sealed;
    } while (count > 0);
    return TLS_OK;
}

void tls_close(struct tls *tls)
{
    bool can_speak = tls->is_open && (tls->result == TLS_OK || tls->result == TLS_CLOSED);
    if (!can_speak || tls->is_closed) return;
    tls->is_closed = true;
    mbedtls_ssl_close_notify(&tls->ssl);
}

/* ---- for logs ---- */

const char *tls_version(const struct tls *tls)
{
    bool is_agreed = mbedtls_ssl_get_ciphersuite_id_from_ssl(&tls->ssl) != 0;
    return is_agreed ? mbedtls_ssl_get_version(&tls->ssl) : "";
}

const char *tls_suite(const struct tls *tls)
{
    const char *suite = mbedtls_ssl_get_ciphersuite(&tls->ssl);
    return suite != NULL ? suite : "";
}

bool tls_is_resumed(const struct tls *tls)
{
    return tls->is_open && tls->is_resumed;
}

/* RFC 8446 6; those a server may hear. */
static const char *alert_text(uint8_t alert)
{
    static const struct {
        uint8_t alert;
        const char *text;
    } rows[] = {
        {MBEDTLS_SSL_ALERT_MSG_UNEXPECTED_MESSAGE, "unexpected message"},
        {MBEDTLS_SSL_ALERT_MSG_BAD_RECORD_MAC, "bad record"},
        {MBEDTLS_SSL_ALERT_MSG_RECORD_OVERFLOW, "record too long"},
        {MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE, "handshake failure"},
        {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, "bad certificate"},
        {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, "unsupported certificate"},
        {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, "certificate revoked"},
        {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, "certificate expired"},
        {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, "certificate not accepted"},
        {MBEDTLS_SSL_ALERT_MSG_ILLEGAL_PARAMETER, "illegal parameter"},
        {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, "certificate of an unknown authority"},
        {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, "access denied"},
        {MBEDTLS_SSL_ALERT_MSG_DECODE_ERROR, "cannot be decoded"},
        {MBEDTLS_SSL_ALERT_MSG_DECRYPT_ERROR, "a signature or digest does not match"},
        {MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, "no version in common"},
        {MBEDTLS_SSL_ALERT_MSG_INSUFFICIENT_SECURITY, "insufficient security"},
        {MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR, "internal error"},
        {MBEDTLS_SSL_ALERT_MSG_USER_CANCELED, "cancelled by the user"},
        {MBEDTLS_SSL_ALERT_MSG_NO_RENEGOTIATION, "no renegotiation"},
        {MBEDTLS_SSL_ALERT_MSG_MISSING_EXTENSION, "missing extension"},
        {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_EXT, "unsupported extension"},
        {MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL, "no application protocol in common"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].alert == alert) return rows[i].text;
    }
    return "unknown alert";
}

/* What an error means to whoever runs the server; NULL: mbedTLS' own words will do. */
static const char *error_text(const struct tls *tls)
{
    switch (tls->error) {
    case MBEDTLS_ERR_SSL_BAD_INPUT_DATA:
        return "record too long";
    case MBEDTLS_ERR_SSL_INVALID_MAC:
        return "a record was changed on its way";
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        return "not a valid record";
    case MBEDTLS_ERR_SSL_DECODE_ERROR:
        return "a message cannot be decoded";
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
        return has_nagged(tls) ? "asks to renegotiate again and again" : "unexpected message";
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return "older than TLS 1.2";
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
        return "no suite, curve or kind of certificate in common";
    case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL:
        return "ALPN without http/1.1";
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
        return "the client shows no certificate";
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
        return (mbedtls_ssl_get_verify_result(&tls->ssl) & MBEDTLS_X509_BADCERT_EXPIRED) != 0
                   ? "the client's certificate has expired"
                   : "the client's certificate is not from an authority we trust";
    default:
        return NULL;
    }
}

const char *tls_reason(const struct tls *tls)
{
    static _Thread_local char text[128];
    const char *known;
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
        snprintf(text, sizeof text, "the peer says: %s (alert %u)", alert_text(tls->alert), tls->alert);
        return text;
    case TLS_BROKEN:
        known = error_text(tls);
        if (known != NULL) return known;
        mbedtls_strerror(tls->error, text, sizeof text);
        return text;
    }
    return "";
}

const char *tls_library(void)
{
    return MBEDTLS_VERSION_STRING_FULL;
}
