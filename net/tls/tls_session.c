/* net/tls/tls_session.c - what records of an open session hold, and what follows of it.
 *
 * Everything a peer can ask for without saying anything is counted: empty records, new keys, warnings, renegotiation.
 * An answer to a KeyUpdate waits for the next thing we say, so that many of them make no output at all. */
#include "net/tls/tls_session.h"

#include <assert.h>
#include <mbedtls/ssl.h>
#include <stdlib.h>
#include <string.h>

enum {
    EMPTIES_MAX = 32, /* in a row, */
    UPDATES_MAX = 32, /* without data between, */
    WARNINGS_MAX = 8, /* without data between */
    RENEGOTIATIONS_MAX = 3,
    ALERT_BYTES = 2,    /* level, number */
    MESSAGE_HEADER = 4, /* type, length */
    CLIENT_HELLO = 1,
    CLIENT_HELLO_BYTES_MAX = TLS_RECORD_BYTES_MAX, /* in a handshake mbedTLS takes no longer one either */
    KEY_UPDATE = 24,
};

/* ---- what it says by itself ---- */

/* One short record to the output. */
static void say(struct tls *tls, enum tls_content content, const uint8_t *bytes, size_t count)
{
    uint8_t record[64];
    assert(count + tls_record_overhead(&tls->records) <= sizeof record);
    size_t sealed = tls_record_seal(&tls->records, tls->sessions->aead, content, bytes, count, record);
    if (sealed == 0 || tls->output(tls->owner, record, sealed) != RC_OK) tls->result = TLS_NO_MEMORY;
}

static void alert(struct tls *tls, uint8_t level, uint8_t number)
{
    if (!tls->is_closed) say(tls, TLS_CONTENT_ALERT, (const uint8_t[ALERT_BYTES]){level, number}, ALERT_BYTES);
}

static enum tls_result fail(struct tls *tls, enum tls_fault fault)
{
    tls->fault = fault;
    tls->result = fault == TLS_FAULT_NO_MEMORY ? TLS_NO_MEMORY : TLS_BROKEN;
    alert(tls, MBEDTLS_SSL_ALERT_LEVEL_FATAL, tls_fault_alert(fault));
    return tls->result;
}

void tls_session_close(struct tls *tls)
{
    bool can_speak = tls->result == TLS_OK || tls->result == TLS_CLOSED;
    if (!can_speak || tls->is_closed) return;
    alert(tls, MBEDTLS_SSL_ALERT_LEVEL_WARNING, MBEDTLS_SSL_ALERT_MSG_CLOSE_NOTIFY);
    tls->is_closed = true;
}

/* ---- alerts ---- */

/* One that ends nothing. */
static enum tls_fault pass_warning(struct tls *tls)
{
    return ++tls->warnings > WARNINGS_MAX ? TLS_FAULT_WARNINGS : TLS_FAULT_NONE;
}

/* RFC 8446 6: in TLS 1.3 the number alone says whether it is the end. */
static enum tls_fault take_alert(struct tls *tls, const uint8_t *bytes, size_t count)
{
    if (count == 0) return TLS_FAULT_UNEXPECTED;
    if (count != ALERT_BYTES) return TLS_FAULT_MALFORMED;
    uint8_t level = bytes[0], number = bytes[1];
    if (number == MBEDTLS_SSL_ALERT_MSG_CLOSE_NOTIFY) {
        tls->result = TLS_CLOSED;
        return TLS_FAULT_NONE;
    }
    if (!tls->records.is_13 && level != MBEDTLS_SSL_ALERT_LEVEL_WARNING && level != MBEDTLS_SSL_ALERT_LEVEL_FATAL)
        return TLS_FAULT_PARAMETER;
    bool is_warning =
        tls->records.is_13 ? number == MBEDTLS_SSL_ALERT_MSG_USER_CANCELED : level == MBEDTLS_SSL_ALERT_LEVEL_WARNING;
    if (is_warning) return pass_warning(tls);
    tls->alert = number;
    tls->result = TLS_ALERTED;
    return TLS_FAULT_NONE;
}

/* ---- messages of the handshake protocol, TLS 1.3 ---- */

/* RFC 8446 4.6.3. */
static enum tls_fault update_keys(struct tls *tls, uint8_t wish)
{
    if (wish > 1) return TLS_FAULT_PARAMETER;
    if (++tls->updates > UPDATES_MAX) return TLS_FAULT_UPDATES;
    if (wish == 1) tls->owes_update = true;
    enum rc rc = tls_keys_next(&tls->records.in, tls->records.kind);
    return rc == RC_OK ? TLS_FAULT_NONE : TLS_FAULT_NO_MEMORY;
}

/* Only a KeyUpdate may come; in pieces too, but it ends its record, for behind it are other keys. */
static enum tls_fault take_message_13(struct tls *tls, const uint8_t *bytes, size_t count)
{
    static const uint8_t begin[MESSAGE_HEADER] = {KEY_UPDATE, 0, 0, 1};
    if (count == 0) return TLS_FAULT_UNEXPECTED;
    for (size_t i = 0; i < count; i++) {
        size_t have = tls->message_have;
        if (have == TLS_KEY_UPDATE_BYTES) return TLS_FAULT_UNEXPECTED; /* something behind it */
        if (have == 0 && bytes[i] != begin[0]) return TLS_FAULT_UNEXPECTED;
        if (have < MESSAGE_HEADER && bytes[i] != begin[have]) return TLS_FAULT_MALFORMED;
        tls->message[have] = bytes[i];
        tls->message_have++;
    }
    if (tls->message_have < TLS_KEY_UPDATE_BYTES) return TLS_FAULT_NONE;
    tls->message_have = 0;
    return update_keys(tls, tls->message[MESSAGE_HEADER]);
}

/* ---- messages of the handshake protocol, TLS 1.2 ---- */

static enum tls_fault refuse_renegotiation(struct tls *tls)
{
    if (++tls->renegotiations > RENEGOTIATIONS_MAX) return TLS_FAULT_NAGGED;
    alert(tls, MBEDTLS_SSL_ALERT_LEVEL_WARNING, MBEDTLS_SSL_ALERT_MSG_NO_RENEGOTIATION);
    return TLS_FAULT_NONE;
}

/* A ClientHello asks to renegotiate. It is refused with a warning (RFC 5746 4.2), and its rest passed over. */
static enum tls_fault take_message_12(struct tls *tls, const uint8_t *bytes, size_t count)
{
    if (count == 0) return TLS_FAULT_UNEXPECTED;
    for (size_t at = 0; at < count;) {
        if (tls->skip > 0) {
            size_t skip = tls->skip < count - at ? tls->skip : count - at;
            tls->skip -= (uint32_t)skip;
            at += skip;
            continue;
        }
        tls->message[tls->message_have++] = bytes[at++];
        if (tls->message[0] != CLIENT_HELLO) return TLS_FAULT_UNEXPECTED;
        if (tls->message_have < MESSAGE_HEADER) continue;
        tls->message_have = 0;
        tls->skip = (uint32_t)tls->message[1] << 16 | (uint32_t)tls->message[2] << 8 | tls->message[3];
        if (tls->skip > CLIENT_HELLO_BYTES_MAX) return TLS_FAULT_MALFORMED;
        enum tls_fault fault = refuse_renegotiation(tls);
        if (fault != TLS_FAULT_NONE) return fault;
    }
    return TLS_FAULT_NONE;
}

/* ---- records that come ---- */

static enum tls_fault take_data(struct tls *tls, size_t count)
{
    if (count == 0) return ++tls->empties > EMPTIES_MAX ? TLS_FAULT_EMPTY : TLS_FAULT_NONE;
    tls->empties = tls->updates = tls->warnings = 0;
    return TLS_FAULT_NONE;
}

/* What was in it; of data only how much. */
static enum tls_fault take_content(struct tls *tls, uint8_t content, const uint8_t *bytes, size_t count)
{
    bool is_in_message = tls->records.is_13 && tls->message_have > 0;
    if (is_in_message && content != TLS_CONTENT_HANDSHAKE) return TLS_FAULT_UNEXPECTED; /* RFC 8446 5.1 */
    switch (content) {
    case TLS_CONTENT_DATA:
        return take_data(tls, count);
    case TLS_CONTENT_ALERT:
        return take_alert(tls, bytes, count);
    case TLS_CONTENT_HANDSHAKE:
        return tls->records.is_13 ? take_message_13(tls, bytes, count) : take_message_12(tls, bytes, count);
    default:
        return TLS_FAULT_UNEXPECTED;
    }
}

struct input {
    const uint8_t *at;
    size_t count;
};

static void take(struct input *in, uint8_t *to, size_t count)
{
    memcpy(to, in->at, count);
    in->at += count;
    in->count -= count;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Goes on with a record that has not come whole. */
static enum tls_fault gather(struct tls *tls, struct input *in)
{
    if (tls->part == NULL) {
        size_t bytes, more = least(in->count, (size_t)TLS_HEADER_BYTES - tls->header_have);
        take(in, tls->header + tls->header_have, more);
        tls->header_have += (uint8_t)more;
        if (tls->header_have < TLS_HEADER_BYTES) return TLS_FAULT_NONE;
        enum tls_fault fault = tls_record_look(&tls->records, tls->header, &bytes);
        if (fault != TLS_FAULT_NONE) return fault;
        tls->part = malloc(bytes);
        if (tls->part == NULL) return TLS_FAULT_NO_MEMORY;
        memcpy(tls->part, tls->header, TLS_HEADER_BYTES);
        tls->part_bytes = (uint16_t)bytes;
        tls->part_have = TLS_HEADER_BYTES;
        tls->header_have = 0;
    }
    size_t more = least(in->count, (size_t)(tls->part_bytes - tls->part_have));
    take(in, tls->part + tls->part_have, more);
    tls->part_have += (uint16_t)more;
    return TLS_FAULT_NONE;
}

/* A record that lies in the input as a whole is opened from there. *bytes_r is 0: none has come. */
static enum tls_fault next_record(struct tls *tls, struct input *in, const uint8_t **record_r, size_t *bytes_r)
{
    *bytes_r = 0;
    if (tls->part == NULL && tls->header_have == 0 && in->count >= TLS_HEADER_BYTES) {
        size_t bytes;
        enum tls_fault fault = tls_record_look(&tls->records, in->at, &bytes);
        if (fault != TLS_FAULT_NONE) return fault;
        if (bytes <= in->count) {
            *record_r = in->at;
            *bytes_r = bytes;
            in->at += bytes;
            in->count -= bytes;
            return TLS_FAULT_NONE;
        }
    }
    enum tls_fault fault = gather(tls, in);
    if (fault == TLS_FAULT_NONE && tls->part != NULL && tls->part_have == tls->part_bytes) {
        *record_r = tls->part;
        *bytes_r = tls->part_bytes;
    }
    return fault;
}

void tls_session_fini(struct tls *tls)
{
    free(tls->part);
    tls->part = NULL;
}

/* One record, if one has come; *plain_count_r is not 0 if it was data. */
static enum tls_result read_record(struct tls *tls, struct input *in, uint8_t *plain, size_t *plain_count_r)
{
    const uint8_t *record;
    size_t bytes, count;
    uint8_t content;
    enum tls_fault fault = next_record(tls, in, &record, &bytes);
    if (fault != TLS_FAULT_NONE) return fail(tls, fault);
    if (bytes == 0) return TLS_MORE;
    fault = tls_record_open(&tls->records, tls->sessions->aead, record, bytes, plain, &count, &content);
    if (record == tls->part) tls_session_fini(tls);
    if (fault == TLS_FAULT_NONE) fault = take_content(tls, content, plain, count);
    if (fault != TLS_FAULT_NONE) return fail(tls, fault);
    if (content == TLS_CONTENT_DATA) *plain_count_r = count;
    return tls->result;
}

enum tls_result tls_session_read(struct tls *tls, const uint8_t *in, size_t count, size_t *eaten_r, uint8_t *plain,
                                 size_t *plain_count_r)
{
    struct input input = {in, count};
    enum tls_result result = tls->result;
    *plain_count_r = 0;
    while (result == TLS_OK && *plain_count_r == 0) {
        result = input.count > 0 ? read_record(tls, &input, plain, plain_count_r) : TLS_MORE;
    }
    *eaten_r = count - input.count;
    return result;
}

/* ---- records that go ---- */

/* RFC 8446 5.5. TLS 1.2 has no such limit, and no new keys. */
static bool is_key_worn(const struct tls_records *records)
{
    return records->is_13 && records->kind != AEAD_CHACHA20_POLY1305 &&
           records->out.sequence >= TLS_RECORDS_PER_KEY_MAX;
}

/* A KeyUpdate that asks for none, and then new keys; once, however often it was asked for. 0: out of memory. */
static size_t seal_update(struct tls *tls, uint8_t *sealed)
{
    static const uint8_t message[TLS_KEY_UPDATE_BYTES] = {KEY_UPDATE, 0, 0, 1, 0};
    size_t bytes =
        tls_record_seal(&tls->records, tls->sessions->aead, TLS_CONTENT_HANDSHAKE, message, sizeof message, sealed);
    tls->owes_update = false;
    return tls_keys_next(&tls->records.out, tls->records.kind) == RC_OK ? bytes : 0;
}

enum tls_result tls_session_seal(struct tls *tls, const uint8_t *plain, size_t count, uint8_t *sealed,
                                 size_t *sealed_count_r)
{
    size_t at = 0, bytes;
    *sealed_count_r = 0;
    if (tls->result != TLS_OK && tls->result != TLS_CLOSED) return tls->result;
    if (tls->owes_update || is_key_worn(&tls->records)) {
        at = seal_update(tls, sealed);
        if (at == 0) return tls->result = TLS_NO_MEMORY;
    }
    do { /* once, but for clients that asked for short records; an empty record is sealed too */
        size_t piece = least(count, tls->out_max);
        bytes = tls_record_seal(&tls->records, tls->sessions->aead, TLS_CONTENT_DATA, plain, piece, sealed + at);
        at += bytes;
        plain += piece;
        count -= piece;
    } while (count > 0 && bytes > 0);
    if (bytes == 0) return tls->result = TLS_NO_MEMORY;
    *sealed_count_r = at;
    return TLS_OK;
}
