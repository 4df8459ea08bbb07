/* net/tls/tls_shake.h - a handshake: mbedTLS between a cursor over the caller's bytes and the caller's output, and what
 * is taken over from it when it is done. For the files of net/tls alone.
 *
 * Its results and errors are those of tls_handshake(). 43 KB, given back when the session opens. */
#pragma once

#include "net/tls/tls_record.h"
#include "net/tls/tls_result.h"

struct tls_context;
struct tls_shake;

/* NULL: out of memory. Holds the context. */
struct tls_shake *tls_shake_new(struct tls_context *context, tls_output *output, void *owner);
/* Wipes all secrets. Accepts NULL. */
void tls_shake_free(struct tls_shake *shake);

enum tls_result tls_shake_run(struct tls_shake *shake, const uint8_t *in, size_t count, size_t *eaten_r);

/* What a session goes on with. */
struct tls_agreed {
    struct tls_records records;
    uint16_t suite;
    uint16_t out_max; /* the longest plaintext that the peer takes */
    bool is_resumed;
};

/* After TLS_OK of tls_shake_run(), once. TLS_OK, or TLS_NO_MEMORY or TLS_BROKEN: then the peer was told. */
enum tls_result tls_shake_take(struct tls_shake *shake, struct tls_agreed *agreed_r);

/* For logs; as those of a session. */
const char *tls_shake_version(const struct tls_shake *shake);
const char *tls_shake_suite(const struct tls_shake *shake);
uint8_t tls_shake_alert(const struct tls_shake *shake);
const char *tls_shake_reason(const struct tls_shake *shake);
