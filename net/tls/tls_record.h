/* net/tls/tls_record.h - one record at a time, sealed and opened: RFC 8446 5.2, RFC 5246 6.2.3.3 with RFC 5288 and RFC
 * 7905. Knows of nothing that is in it. For the files of net/tls alone. */
#pragma once

#include "core/rc.h"
#include "net/tls/tls_fault.h"
#include "net/tls/tls_keys.h"
#include "net/tls/tls_limits.h"

#include <stdbool.h>

struct aead;

enum {
    TLS_HEADER_BYTES = 5,
    TLS_RECORD_WIRE_MAX = TLS_HEADER_BYTES + 8 + TLS_RECORD_BYTES_MAX + AEAD_TAG_BYTES, /* the longest of all kinds */
};

/* RFC 8446 5.1 */
enum tls_content {
    TLS_CONTENT_ALERT = 21,
    TLS_CONTENT_HANDSHAKE = 22,
    TLS_CONTENT_DATA = 23,
};

/* How a session's records are sealed, and how far they have come. Zeroed, then with kind, is_13 and both directions
 * set. */
struct tls_records {
    struct tls_direction in, out;
    enum aead_kind kind : 8;
    bool is_13;
};

/* The record as it stands on the wire: its header, which is checked, says in *bytes_r how long it is with it. */
enum tls_fault tls_record_look(const struct tls_records *records, const uint8_t header[TLS_HEADER_BYTES],
                               size_t *bytes_r);
/* Opens one that tls_record_look() has passed, of `bytes`. `plain` has room for TLS_OPEN_BYTES_MAX; what it holds
 * behind *count_r, or after a fault, is not to be looked at. */
enum tls_fault tls_record_open(struct tls_records *records, struct aead *aead, const uint8_t *record, size_t bytes,
                               uint8_t *plain, size_t *count_r, uint8_t *content_r);

/* What a record is longer than its plaintext. */
size_t tls_record_overhead(const struct tls_records *records);
/* Seals up to TLS_RECORD_BYTES_MAX to `record`, which has room for that much and the overhead; says how long the record
 * is. 0: out of memory, and nothing more may be sealed. */
size_t tls_record_seal(struct tls_records *records, struct aead *aead, enum tls_content content, const uint8_t *plain,
                       size_t count, uint8_t *record);
