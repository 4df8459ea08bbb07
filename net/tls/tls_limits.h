/* net/tls/tls_limits.h - how large records and sets of certificates get. */
#pragma once

enum {
    TLS_RECORD_BYTES_MAX = 16384, /* plaintext of a record that comes */
    TLS_WRITE_BYTES_MAX = 16383,  /* and of one we seal: mbedTLS pads those of TLS 1.3 up to a multiple of 16 */
    TLS_RECORD_OVERHEAD_MAX = 37, /* what a record we seal is longer than its plaintext, for every suite offered */
    TLS_CERTIFICATES_MAX = 16,
    TLS_TICKET_SECONDS_MAX = 7 * 24 * 60 * 60, /* RFC 8446 4.6.1 */
};
