/* net/tls/tls_shake.c - mbedTLS' session, from the first byte to the last of its handshake.
 *
 * mbedTLS asks for exactly the bytes of the record it is at, so what is left of the input after a handshake belongs to
 * tls_read(). It sends an alert on its own for some errors and not for others; here every failure gets one. Some
 * members of mbedTLS' session are used though they are private, for there is no other way: read are the state (are the
 * tickets out; was a certificate shown, or the session resumed?), the record or message that holds an alert of the
 * peer, and in the end the counters of records; set are the keys of what we send while TLS 1.3 waits for the client's
 * last flight. */
#include "net/tls/tls_shake.h"

#include "core/secret.h"
#include "net/tls/tls_context.h"
#include "net/tls/tls_error.h"
#include "net/tls/tls_shared.h"

#include <mbedtls/error.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#include <stdlib.h>
#include <string.h>

enum { ALERT_BYTES = 2 /* level, number */ };

struct tls_shake {
    mbedtls_ssl_context ssl;
    struct tls_context *context;
    tls_output *output;
    void *owner;
    const uint8_t *in; /* the caller's, for the duration of a call */
    size_t in_count;
    struct tls_master master;                                                  /* TLS 1.2: what was agreed on */
    uint8_t in_secret[TLS_SECRET_BYTES_MAX], out_secret[TLS_SECRET_BYTES_MAX]; /* TLS 1.3 */
    int error;                                                                 /* of mbedTLS, behind the result */
    uint8_t alert;                                                             /* from the peer, behind TLS_ALERTED */
    bool is_resumed;
    bool has_spoken;     /* something was handed to `output` since this was cleared */
    bool output_is_full; /* `output` failed */
};

/* ---- input and output ---- */

static int take_input(void *shake_given, unsigned char *to, size_t count)
{
    struct tls_shake *shake = shake_given;
    if (shake->in_count == 0) return MBEDTLS_ERR_SSL_WANT_READ;
    if (count > shake->in_count) count = shake->in_count;
    memcpy(to, shake->in, count);
    shake->in += count;
    shake->in_count -= count;
    return (int)count;
}

static int give_output(void *shake_given, const unsigned char *from, size_t count)
{
    struct tls_shake *shake = shake_given;
    shake->has_spoken = true;
    if (shake->output_is_full || shake->output(shake->owner, from, count) != RC_OK) {
        shake->output_is_full = true;
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    return (int)count;
}

/* mbedTLS shows what it has agreed on before the client has proved anything: nothing of it is used until it is over. */
static void note_secret(void *shake_given, mbedtls_ssl_key_export_type type, const unsigned char *secret,
                        size_t count, const unsigned char client_random[32], const unsigned char server_random[32],
                        mbedtls_tls_prf_types prf)
{
    struct tls_shake *shake = shake_given;
    if (count > TLS_SECRET_BYTES_MAX) return;
    if (type == MBEDTLS_SSL_KEY_EXPORT_TLS1_3_CLIENT_APPLICATION_TRAFFIC_SECRET) {
        memcpy(shake->in_secret, secret, count);
    } else if (type == MBEDTLS_SSL_KEY_EXPORT_TLS1_3_SERVER_APPLICATION_TRAFFIC_SECRET) {
        memcpy(shake->out_secret, secret, count);
    } else if (type == MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET) {
        memcpy(shake->master.secret, secret, count);
        memcpy(shake->master.client_random, client_random, TLS_RANDOM_BYTES);
        memcpy(shake->master.server_random, server_random, TLS_RANDOM_BYTES);
        shake->master.prf = prf;
    }
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
static bool is_plain_alert(const struct tls_shake *shake)
{
    const uint8_t *header = shake->ssl.MBEDTLS_PRIVATE(in_hdr);
    return header[0] == MBEDTLS_SSL_MSG_ALERT && header[3] == 0 && header[4] == ALERT_BYTES;
}

/* The session ends here; an alert goes out unless mbedTLS sent one or none is called for. */
static enum tls_result fail(struct tls_shake *shake, int error, bool alert_is_sent)
{
    enum tls_result result = shake->output_is_full ? TLS_NO_MEMORY : result_of(error);
    shake->error = error;
    if (error == MBEDTLS_ERR_SSL_INVALID_MAC && is_plain_alert(shake)) {
        result = TLS_ALERTED;
        shake->alert = shake->ssl.MBEDTLS_PRIVATE(in_hdr)[TLS_HEADER_BYTES + 1];
    } else if (result == TLS_ALERTED) {
        shake->alert = shake->ssl.MBEDTLS_PRIVATE(in_msg)[1];
    }
    if (result != TLS_BROKEN && result != TLS_NO_MEMORY) return result;
    if (!alert_is_sent && !shake->output_is_full)
        mbedtls_ssl_send_alert_message(&shake->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert_for(error));
    return result;
}

/* ---- life ---- */

struct tls_shake *tls_shake_new(struct tls_context *context, tls_output *output, void *owner)
{
    struct tls_shake *shake = calloc(1, sizeof *shake);
    if (shake == NULL) return NULL;
    shake->context = context;
    shake->output = output;
    shake->owner = owner;
    shake->is_resumed = true; /* until a certificate has to be shown */
    tls_context_hold(context);
    mbedtls_ssl_init(&shake->ssl);
    if (mbedtls_ssl_setup(&shake->ssl, &context->config) != 0) {
        tls_shake_free(shake);
        return NULL;
    }
    mbedtls_ssl_set_user_data_p(&shake->ssl, context); /* for the choice of a certificate */
    mbedtls_ssl_set_bio(&shake->ssl, shake, give_output, take_input, NULL);
    mbedtls_ssl_set_export_keys_cb(&shake->ssl, note_secret, shake);
    return shake;
}

void tls_shake_free(struct tls_shake *shake)
{
    if (shake == NULL) return;
    mbedtls_ssl_free(&shake->ssl);
    tls_context_drop(shake->context);
    mbedtls_platform_zeroize(shake, sizeof *shake);
    free(shake);
}

/* ---- handshake ---- */

static int state_of(const struct tls_shake *shake)
{
    return shake->ssl.MBEDTLS_PRIVATE(state);
}

/* RFC 8446 4.4.4: behind our Finished we write with the keys of the application, but mbedTLS goes on with those of the
 * handshake until the client's Finished has come. Nothing is said meanwhile but the alert that refuses the client: it
 * could not be read. (mbedTLS then sets the same keys, and counts records from 0 as here.) */
static void change_keys(struct tls_shake *shake)
{
    mbedtls_ssl_context *ssl = &shake->ssl;
    if (mbedtls_ssl_get_version_number(ssl) != MBEDTLS_SSL_VERSION_TLS1_3) return;
    ssl->MBEDTLS_PRIVATE(transform_out) = ssl->MBEDTLS_PRIVATE(transform_application);
    memset(ssl->MBEDTLS_PRIVATE(cur_out_ctr), 0, sizeof ssl->MBEDTLS_PRIVATE(cur_out_ctr));
}

/* A step reads one message or writes one. A step that fails and has spoken has sent its alert. */
static enum tls_result step(struct tls_shake *shake)
{
    for (;;) {
        size_t before = shake->in_count;
        bool is_finishing = state_of(shake) == MBEDTLS_SSL_SERVER_FINISHED;
        if (state_of(shake) == MBEDTLS_SSL_SERVER_CERTIFICATE) shake->is_resumed = false;
        shake->has_spoken = false;
        int error = mbedtls_ssl_handshake_step(&shake->ssl);
        if (error == 0 && is_finishing) change_keys(shake);
        if (error == 0) return TLS_OK;
        if (error != MBEDTLS_ERR_SSL_WANT_READ) return fail(shake, error, shake->has_spoken);
        if (shake->in_count == 0) return TLS_MORE;
        if (shake->in_count == before) return fail(shake, MBEDTLS_ERR_SSL_INTERNAL_ERROR, false);
    }
}

static enum tls_result run_handshake(struct tls_shake *shake)
{
    /* mbedtls_ssl_is_handshake_over() says yes before the tickets of TLS 1.3 are out. */
    while (state_of(shake) != MBEDTLS_SSL_HANDSHAKE_OVER) {
        enum tls_result result = step(shake);
        if (result != TLS_OK) return result;
    }
    return TLS_OK;
}

enum tls_result tls_shake_run(struct tls_shake *shake, const uint8_t *in, size_t count, size_t *eaten_r)
{
    shake->in = in;
    shake->in_count = count;
    enum tls_result result = run_handshake(shake);
    secret_wipe_stack(); /* mbedTLS leaves the key of a certificate there when it has signed */
    *eaten_r = count - shake->in_count;
    shake->in = NULL;
    shake->in_count = 0;
    return result;
}

/* ---- what is taken over ---- */

static bool find_kind(int suite, enum aead_kind *kind_r)
{
    static const struct {
        int suite;
        enum aead_kind kind;
    } rows[] = {
        {MBEDTLS_TLS1_3_AES_128_GCM_SHA256, AEAD_AES_128_GCM},
        {MBEDTLS_TLS1_3_AES_256_GCM_SHA384, AEAD_AES_256_GCM},
        {MBEDTLS_TLS1_3_CHACHA20_POLY1305_SHA256, AEAD_CHACHA20_POLY1305},
        {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, AEAD_AES_128_GCM},
        {MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, AEAD_AES_128_GCM},
        {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, AEAD_AES_256_GCM},
        {MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, AEAD_AES_256_GCM},
        {MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, AEAD_CHACHA20_POLY1305},
        {MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, AEAD_CHACHA20_POLY1305},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].suite != suite) continue;
        *kind_r = rows[i].kind;
        return true;
    }
    return false;
}

static uint64_t read_counter(const unsigned char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return __builtin_bswap64(value);
}

/* mbedTLS pads records of TLS 1.3 and leaves room for it; ours need none. */
static uint16_t longest_out(struct tls_shake *shake, bool is_13)
{
    if (is_13) return TLS_RECORD_BYTES_MAX;
    int most = mbedtls_ssl_get_max_out_record_payload(&shake->ssl);
    return most > 0 && most < TLS_RECORD_BYTES_MAX ? (uint16_t)most : TLS_RECORD_BYTES_MAX;
}

/* It reads no further than its own last record, and has sent all it had to say. */
static bool is_done_with(const struct tls_shake *shake)
{
    const mbedtls_ssl_context *ssl = &shake->ssl;
    return mbedtls_ssl_get_bytes_avail(ssl) == 0 && mbedtls_ssl_check_pending(ssl) == 0 &&
           ssl->MBEDTLS_PRIVATE(in_left) == 0 && ssl->MBEDTLS_PRIVATE(out_left) == 0;
}

static enum rc take_keys(struct tls_shake *shake, struct tls_records *records)
{
    if (!records->is_13) return tls_keys_of_master(&records->in, &records->out, records->kind, &shake->master);
    enum rc rc = tls_keys_of_secret(&records->in, records->kind, shake->in_secret);
    return rc == RC_OK ? tls_keys_of_secret(&records->out, records->kind, shake->out_secret) : rc;
}

enum tls_result tls_shake_take(struct tls_shake *shake, struct tls_agreed *agreed_r)
{
    const mbedtls_ssl_context *ssl = &shake->ssl;
    struct tls_records *records = &agreed_r->records;
    enum aead_kind kind;
    int suite = mbedtls_ssl_get_ciphersuite_id_from_ssl(ssl);
    *agreed_r = (struct tls_agreed){0};
    if (!find_kind(suite, &kind) || !is_done_with(shake)) return fail(shake, MBEDTLS_ERR_SSL_INTERNAL_ERROR, false);
    records->kind = kind;
    records->is_13 = mbedtls_ssl_get_version_number(ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
    if (take_keys(shake, records) != RC_OK) return fail(shake, MBEDTLS_ERR_SSL_ALLOC_FAILED, false);
    records->in.sequence = read_counter(ssl->MBEDTLS_PRIVATE(in_ctr));
    records->out.sequence = read_counter(ssl->MBEDTLS_PRIVATE(cur_out_ctr));
    agreed_r->suite = (uint16_t)suite;
    agreed_r->out_max = longest_out(shake, records->is_13);
    agreed_r->is_resumed = shake->is_resumed;
    return TLS_OK;
}

/* ---- for logs ---- */

const char *tls_shake_version(const struct tls_shake *shake)
{
    bool is_agreed = mbedtls_ssl_get_ciphersuite_id_from_ssl(&shake->ssl) != 0;
    return is_agreed ? mbedtls_ssl_get_version(&shake->ssl) : "";
}

const char *tls_shake_suite(const struct tls_shake *shake)
{
    const char *suite = mbedtls_ssl_get_ciphersuite(&shake->ssl);
    return suite != NULL ? suite : "";
}

uint8_t tls_shake_alert(const struct tls_shake *shake)
{
    return shake->alert;
}

/* What an error means to whoever runs the server; NULL: mbedTLS' own words will do. */
static const char *error_text(const struct tls_shake *shake)
{
    switch (shake->error) {
    case MBEDTLS_ERR_SSL_BAD_INPUT_DATA:
        return "record too long";
    case MBEDTLS_ERR_SSL_INVALID_MAC:
        return "a record was changed on its way";
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        return "not a valid record";
    case MBEDTLS_ERR_SSL_DECODE_ERROR:
        return "a message cannot be decoded";
    case MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE:
        return "unexpected message";
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        return "a version of TLS older than is spoken here";
    case MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE:
        return "no suite, curve or kind of certificate in common";
    case MBEDTLS_ERR_SSL_NO_APPLICATION_PROTOCOL:
        return "ALPN without http/1.1";
    case MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE:
        return "the client shows no certificate";
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
        return (mbedtls_ssl_get_verify_result(&shake->ssl) & MBEDTLS_X509_BADCERT_EXPIRED) != 0
                   ? "the client's certificate has expired"
                   : "the client's certificate is not from an authority we trust";
    default:
        return NULL;
    }
}

const char *tls_shake_reason(const struct tls_shake *shake)
{
    static _Thread_local char text[128];
    const char *known = error_text(shake);
    if (known != NULL) return known;
    mbedtls_strerror(shake->error, text, sizeof text);
    return text;
}
