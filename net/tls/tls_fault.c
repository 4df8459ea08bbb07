/* net/tls/tls_fault.c - faults and alerts, and what is said of them. */
#include "net/tls/tls_fault.h"

#include <mbedtls/ssl.h>
#include <stddef.h>

static const struct {
    uint8_t alert;
    const char *text;
} faults[TLS_FAULTS_MAX] = {
    [TLS_FAULT_NONE] = {MBEDTLS_SSL_ALERT_MSG_CLOSE_NOTIFY, ""},
    [TLS_FAULT_NO_MEMORY] = {MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR, "out of memory"},
#define TLS_FAULT(name, alert, text) [TLS_FAULT_##name] = {MBEDTLS_SSL_ALERT_MSG_##alert, text},
#include "net/tls/tls_fault.def"
#undef TLS_FAULT
};

uint8_t tls_fault_alert(enum tls_fault fault)
{
    return faults[fault].alert;
}

const char *tls_fault_text(enum tls_fault fault)
{
    return faults[fault].text;
}

const char *tls_alert_text(uint8_t alert)
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
