/* net/tls/tls_record.c - headers, nonces and counters around net/tls/aead.h.
 *
 * A nonce is made of the record's number, hence never used twice: also the eight bytes that TLS 1.2 shows of it with
 * AES-GCM are that number, not a random one. */
#include "net/tls/tls_record.h"

#include "net/tls/aead.h"

#include <string.h>

enum {
    SHOWN_BYTES = 8, /* of the nonce: TLS 1.2 with AES-GCM */
    SALT_BYTES = 4,
    HEADER_12_BYTES = 13, /* what TLS 1.2 covers with the tag: RFC 5246 6.2.3.3 */
};

static void write_16(uint8_t *to, size_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void write_64(uint8_t *to, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(to, &value, sizeof value);
}

/* ---- what both directions share ---- */

/* How much of the nonce stands in the record. */
static size_t shown_bytes(const struct tls_records *records)
{
    return records->is_13 || records->kind == AEAD_CHACHA20_POLY1305 ? 0 : SHOWN_BYTES;
}

/* And the content type that TLS 1.3 seals behind the plaintext. */
static size_t type_bytes(const struct tls_records *records)
{
    return records->is_13 ? 1 : 0;
}

size_t tls_record_overhead(const struct tls_records *records)
{
    return TLS_HEADER_BYTES + shown_bytes(records) + type_bytes(records) + AEAD_TAG_BYTES;
}

/* RFC 8446 5.3, and RFC 7905 2 for TLS 1.2. */
static void mix_nonce(const struct tls_direction *direction, uint8_t nonce[AEAD_NONCE_BYTES])
{
    uint8_t number[8];
    write_64(number, direction->sequence);
    memcpy(nonce, direction->iv, AEAD_NONCE_BYTES);
    for (size_t i = 0; i < sizeof number; i++) {
        nonce[AEAD_NONCE_BYTES - sizeof number + i] ^= number[i];
    }
}

/* The nonce of a record; `shown` is what stands in it, if anything does. */
static void set_nonce(const struct tls_records *records, const struct tls_direction *direction, const uint8_t *shown,
                      uint8_t nonce[AEAD_NONCE_BYTES])
{
    if (shown_bytes(records) == 0) {
        mix_nonce(direction, nonce);
        return;
    }
    memcpy(nonce, direction->iv, SALT_BYTES);
    memcpy(nonce + SALT_BYTES, shown, SHOWN_BYTES);
}

/* What TLS 1.2 covers: the number, type and version, and the length of the plaintext. */
static void set_header_12(const struct tls_direction *direction, const uint8_t *record, size_t count,
                          uint8_t header[HEADER_12_BYTES])
{
    write_64(header, direction->sequence);
    memcpy(header + 8, record, 3);
    write_16(header + 11, count);
}

/* ---- what comes ---- */

static bool is_content(const struct tls_records *records, uint8_t content)
{
    if (records->is_13) return content == TLS_CONTENT_DATA;
    return content >= TLS_CONTENT_ALERT && content <= TLS_CONTENT_DATA;
}

enum tls_fault tls_record_look(const struct tls_records *records, const uint8_t header[TLS_HEADER_BYTES],
                               size_t *bytes_r)
{
    size_t length = (size_t)header[3] << 8 | header[4];
    size_t more = tls_record_overhead(records) - TLS_HEADER_BYTES;
    if (!is_content(records, header[0])) return TLS_FAULT_UNEXPECTED;
    if (!records->is_13 && (header[1] != 3 || header[2] != 3)) return TLS_FAULT_VERSION; /* 1.3 does not look */
    if (length > TLS_RECORD_BYTES_MAX + more) return TLS_FAULT_TOO_LONG;
    if (length < more) return TLS_FAULT_TOO_SHORT;
    *bytes_r = TLS_HEADER_BYTES + length;
    return TLS_FAULT_NONE;
}

/* RFC 8446 5.4: behind the plaintext its type, behind that zeros. */
static enum tls_fault strip(const uint8_t *plain, size_t *count, uint8_t *content_r)
{
    while (*count > 0 && plain[*count - 1] == 0) {
        --*count;
    }
    if (*count == 0) return TLS_FAULT_UNEXPECTED;
    *content_r = plain[--*count];
    return TLS_FAULT_NONE;
}

enum tls_fault tls_record_open(struct tls_records *records, struct aead *aead, const uint8_t *record, size_t bytes,
                               uint8_t *plain, size_t *count_r, uint8_t *content_r)
{
    struct tls_direction *in = &records->in;
    uint8_t nonce[AEAD_NONCE_BYTES], header_12[HEADER_12_BYTES];
    size_t before = TLS_HEADER_BYTES + shown_bytes(records), count = bytes - before - AEAD_TAG_BYTES;
    struct aead_with with = {records->kind, in->key, nonce, record, TLS_HEADER_BYTES};
    set_nonce(records, in, record + TLS_HEADER_BYTES, nonce);
    if (!records->is_13) {
        set_header_12(in, record, count, header_12);
        with.header = header_12;
        with.header_count = sizeof header_12;
    }
    enum rc rc = aead_open(aead, &with, record + before, bytes - before, plain);
    if (rc != RC_OK) return rc == RC_ENOMEM ? TLS_FAULT_NO_MEMORY : TLS_FAULT_CHANGED;
    in->sequence++;
    *count_r = count;
    *content_r = record[0];
    return records->is_13 ? strip(plain, count_r, content_r) : TLS_FAULT_NONE;
}

/* ---- what goes ---- */

size_t tls_record_seal(struct tls_records *records, struct aead *aead, enum tls_content content, const uint8_t *plain,
                       size_t count, uint8_t *record)
{
    struct tls_direction *out = &records->out;
    uint8_t nonce[AEAD_NONCE_BYTES], header_12[HEADER_12_BYTES], type = (uint8_t)content;
    size_t before = TLS_HEADER_BYTES + shown_bytes(records), bytes = tls_record_overhead(records) + count;
    struct aead_with with = {records->kind, out->key, nonce, record, TLS_HEADER_BYTES};
    record[0] = records->is_13 ? TLS_CONTENT_DATA : type;
    record[1] = record[2] = 3;
    write_16(record + 3, bytes - TLS_HEADER_BYTES);
    if (before > TLS_HEADER_BYTES) write_64(record + TLS_HEADER_BYTES, out->sequence);
    set_nonce(records, out, record + TLS_HEADER_BYTES, nonce);
    if (!records->is_13) {
        set_header_12(out, record, count, header_12);
        with.header = header_12;
        with.header_count = sizeof header_12;
    }
    out->sequence++;
    enum rc rc = aead_seal(aead, &with, plain, count, &type, type_bytes(records), record + before);
    return rc == RC_OK ? bytes : 0;
}
