/* net/tls/tls_call.c - mbedTLS as a client, on a socket. */
#include "net/tls/tls_call.h"

#include "core/secret.h"
#include "net/tls/tls_error.h"
#include "net/tls/tls_file.h"
#include "net/tls/tls_hide.h"
#include "net/tls/tls_limits.h"

#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    FILE_BYTES_MAX = 1 << 20,
    REASON_BYTES = 256,
};

struct tls_trust {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context rng;
    mbedtls_ssl_config config;
    mbedtls_x509_crt ca, certificate;
    mbedtls_pk_context key;
};

struct tls_call {
    mbedtls_ssl_context ssl;
    int socket;
    int socket_error; /* errno behind TLS_CALL_RESET */
    size_t writing;   /* bytes that mbedTLS has taken, and wants again */
    char reason[REASON_BYTES];
};

/* ---- what is trusted ---- */

static bool is_named(const char *name)
{
    return name != NULL && name[0] != '\0';
}

/* RC_OK: a text with a zero behind it, as mbedTLS wants it, count_r with it; secret_free() it. */
static enum rc read_pem(const char *name, unsigned char **text_r, size_t *count_r, struct tls_reason reason)
{
    unsigned char *text = secret_new(FILE_BYTES_MAX + 1);
    *text_r = NULL;
    if (text == NULL) return tls_refuse_memory(reason, name);
    enum rc rc = tls_file_read(name, text, FILE_BYTES_MAX + 1, count_r, reason);
    if (rc == RC_OK && *count_r > FILE_BYTES_MAX)
        rc = tls_refuse(reason, RC_EINVAL, "%s is larger than a megabyte. Is it the right file?", name);
    if (rc != RC_OK) {
        secret_free(text);
        return rc;
    }
    text[(*count_r)++] = '\0';
    *text_r = text;
    return RC_OK;
}

static enum rc read_certificates(mbedtls_x509_crt *to, const char *name, const char *option, struct tls_reason reason)
{
    unsigned char *text;
    size_t count;
    enum rc rc = read_pem(name, &text, &count, reason);
    if (rc != RC_OK) return rc;
    int error = mbedtls_x509_crt_parse(to, text, count);
    secret_free(text);
    if (error < 0 && tls_error_is_memory(error)) return tls_refuse_memory(reason, name);
    if (error >= 0 && to->version > 0) return RC_OK; /* those it cannot read are of no use, the others are */
    return tls_refuse(reason, RC_EINVAL, "%s has no certificate that can be read. Name a file in PEM for %s.", name,
                      option);
}

static enum rc read_key(struct tls_trust *trust, const char *name, struct tls_reason reason)
{
    unsigned char *text;
    size_t count;
    enum rc rc = read_pem(name, &text, &count, reason);
    if (rc != RC_OK) return rc;
    int error = mbedtls_pk_parse_key(&trust->key, text, count, NULL, 0, mbedtls_ctr_drbg_random, &trust->rng);
    secret_free(text);
    if (error == 0) error = tls_hide_key(&trust->key);
    if (error == 0) return RC_OK;
    if (tls_error_is_memory(error)) return tls_refuse_memory(reason, name);
    return tls_refuse(reason, RC_EINVAL,
                      "%s has no private key that can be read. Name one in PEM, without passphrase.", name);
}

static enum rc read_own(struct tls_trust *trust, const struct tls_trust_files *files, struct tls_reason reason)
{
    if (!is_named(files->cert)) return RC_OK;
    enum rc rc = read_certificates(&trust->certificate, files->cert, "its key", reason);
    if (rc == RC_OK) rc = read_key(trust, files->key, reason);
    if (rc != RC_OK) return rc;
    if (mbedtls_pk_check_pair(&trust->certificate.pk, &trust->key, mbedtls_ctr_drbg_random, &trust->rng) != 0)
        return tls_refuse(reason, RC_EINVAL,
                          "%s is not the key of the certificate in %s. Name the two that belong "
                          "together.",
                          files->key, files->cert);
    int error = mbedtls_ssl_conf_own_cert(&trust->config, &trust->certificate, &trust->key);
    return error == 0 ? RC_OK : tls_refuse_memory(reason, files->cert);
}

static enum rc configure(struct tls_trust *trust, const struct tls_trust_files *files, struct tls_reason reason)
{
    mbedtls_ssl_config *config = &trust->config;
    if (psa_crypto_init() != PSA_SUCCESS) return tls_refuse(reason, RC_EKERNEL, "mbedTLS cannot be used here.");
    if (mbedtls_ctr_drbg_seed(&trust->rng, mbedtls_entropy_func, &trust->entropy, NULL, 0) != 0)
        return tls_refuse(reason, RC_EKERNEL, "The kernel gives no random numbers.");
    if (mbedtls_ssl_config_defaults(config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0)
        return tls_refuse(reason, RC_ENOMEM, "There is no memory for TLS.");
    mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &trust->rng);
    mbedtls_ssl_conf_min_tls_version(config, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
    mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
    const char *ca = is_named(files->ca) ? files->ca : TLS_TRUST_SYSTEM;
    enum rc rc = read_certificates(&trust->ca, ca, "who has signed the server's", reason);
    if (rc == RC_OK) mbedtls_ssl_conf_ca_chain(config, &trust->ca, NULL);
    return rc == RC_OK ? read_own(trust, files, reason) : rc;
}

enum rc tls_trust_new(struct tls_trust **trust_r, const struct tls_trust_files *files, char *reason_r,
                      size_t reason_size)
{
    struct tls_reason reason = {.text = reason_r, .size = reason_size};
    *trust_r = NULL;
    struct tls_trust *trust = calloc(1, sizeof *trust);
    if (trust == NULL) return tls_refuse(reason, RC_ENOMEM, "There is no memory for TLS.");
    mbedtls_entropy_init(&trust->entropy);
    mbedtls_ctr_drbg_init(&trust->rng);
    mbedtls_ssl_config_init(&trust->config);
    mbedtls_x509_crt_init(&trust->ca);
    mbedtls_x509_crt_init(&trust->certificate);
    mbedtls_pk_init(&trust->key);
    enum rc rc = configure(trust, files, reason);
    if (rc == RC_OK)
        *trust_r = trust;
    else
        tls_trust_free(trust);
    return rc;
}

void tls_trust_free(struct tls_trust *trust)
{
    if (trust == NULL) return;
    mbedtls_ssl_config_free(&trust->config);
    mbedtls_pk_free(&trust->key);
    mbedtls_x509_crt_free(&trust->certificate);
    mbedtls_x509_crt_free(&trust->ca);
    mbedtls_ctr_drbg_free(&trust->rng);
    mbedtls_entropy_free(&trust->entropy);
    free(trust);
}

/* ---- the socket ---- */

static int socket_result(struct tls_call *call, ssize_t count, int would_wait)
{
    if (count >= 0) return (int)count;
    if (errno == EAGAIN || errno == EINTR) return would_wait;
    call->socket_error = errno;
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

static int give(void *call_given, const unsigned char *bytes, size_t count)
{
    struct tls_call *call = call_given;
    return socket_result(call, send(call->socket, bytes, count, MSG_NOSIGNAL), MBEDTLS_ERR_SSL_WANT_WRITE);
}

static int take(void *call_given, unsigned char *to, size_t room)
{
    struct tls_call *call = call_given;
    return socket_result(call, recv(call->socket, to, room, 0), MBEDTLS_ERR_SSL_WANT_READ);
}

/* ---- calls ---- */

struct tls_call *tls_call_new(struct tls_trust *trust, const char *host, int socket)
{
    struct tls_call *call = calloc(1, sizeof *call);
    if (call == NULL) return NULL;
    call->socket = socket;
    mbedtls_ssl_init(&call->ssl);
    if (mbedtls_ssl_setup(&call->ssl, &trust->config) != 0 || mbedtls_ssl_set_hostname(&call->ssl, host) != 0) {
        tls_call_free(call);
        return NULL;
    }
    mbedtls_ssl_set_bio(&call->ssl, call, give, take, NULL);
    return call;
}

void tls_call_free(struct tls_call *call)
{
    if (call == NULL) return;
    if (mbedtls_ssl_is_handshake_over(&call->ssl)) mbedtls_ssl_close_notify(&call->ssl);
    mbedtls_ssl_free(&call->ssl);
    free(call);
}

static enum tls_call_result distrust(struct tls_call *call)
{
    uint32_t flags = mbedtls_ssl_get_verify_result(&call->ssl);
    if (mbedtls_x509_crt_verify_info(call->reason, sizeof call->reason, "", flags) <= 0) call->reason[0] = '\0';
    size_t count = strlen(call->reason); /* a line for each flaw */
    while (count > 0 && call->reason[count - 1] == '\n')
        call->reason[--count] = '\0';
    for (char *end = call->reason; (end = strchr(end, '\n')) != NULL;)
        *end = ' ';
    return TLS_CALL_UNTRUSTED;
}

static enum tls_call_result result_of(struct tls_call *call, int error)
{
    switch (error) {
    case MBEDTLS_ERR_SSL_WANT_READ:
        return TLS_CALL_WANTS_READ;
    case MBEDTLS_ERR_SSL_WANT_WRITE:
        return TLS_CALL_WANTS_WRITE;
    case 0:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
    case MBEDTLS_ERR_SSL_CONN_EOF:
        return TLS_CALL_CLOSED;
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
        return distrust(call);
    default:
        break;
    }
    if (call->socket_error != 0) {
        errno = call->socket_error;
        return TLS_CALL_RESET;
    }
    mbedtls_strerror(error, call->reason, sizeof call->reason);
    return TLS_CALL_FAILED;
}

enum tls_call_result tls_call_shake(struct tls_call *call)
{
    int error = mbedtls_ssl_handshake(&call->ssl);
    return error == 0 ? TLS_CALL_OK : result_of(call, error);
}

enum tls_call_result tls_call_read(struct tls_call *call, void *to, size_t size, size_t *count_r)
{
    int result;
    do { /* of a ticket, which is not wanted, mbedTLS tells by an error */
        result = mbedtls_ssl_read(&call->ssl, to, size);
    } while (result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
    *count_r = result > 0 ? (size_t)result : 0;
    return result > 0 ? TLS_CALL_OK : result_of(call, result);
}

enum tls_call_result tls_call_write(struct tls_call *call, const void *from, size_t count, size_t *count_r)
{
    if (call->writing == 0) call->writing = count < TLS_RECORD_BYTES_MAX ? count : TLS_RECORD_BYTES_MAX;
    int result;
    do {
        result = mbedtls_ssl_write(&call->ssl, from, call->writing);
    } while (result == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET);
    *count_r = result > 0 ? (size_t)result : 0;
    if (result > 0) call->writing = 0;
    return result > 0 ? TLS_CALL_OK : result_of(call, result);
}

const char *tls_call_reason(const struct tls_call *call)
{
    return call->reason;
}
