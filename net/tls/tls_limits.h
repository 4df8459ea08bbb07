/* net/tls/tls_limits.h - how large records and sets of certificates get. */
#pragma once

enum {
    TLS_RECORD_BYTES_MAX = 16384,                  /* plaintext of a record */
    TLS_OPEN_BYTES_MAX = TLS_RECORD_BYTES_MAX + 1, /* room to open one: TLS 1.3 has the type behind the plaintext */
    TLS_SEALED_BYTES_MAX = 17312, /* room to seal one: of 512 bytes for each record, if that is all a client takes */
    TLS_CHAIN_BYTES_MAX = 16383,  /* of certificates: mbedTLS sends them in one record, and pads that of TLS 1.3 */
    TLS_CERTIFICATES_MAX = 16,
    TLS_TICKET_SECONDS_MAX = 7 * 24 * 60 * 60, /* RFC 8446 4.6.1 */
};
