/* net/tls/aead_kind.h - which AEADs there are, and what a call of one works with. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum aead_kind { AEAD_AES_128_GCM, AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305, AEAD_KINDS_MAX };

enum {
    AEAD_KEY_BYTES_MAX = 32,
    AEAD_NONCE_BYTES = 12,
    AEAD_TAG_BYTES = 16,
    AEAD_END_BYTES_MAX = 16,
};

/* `key` has aead_key_bytes(kind), `nonce` AEAD_NONCE_BYTES; `header` is not sealed, but what is sealed is opened only
 * with the same. */
struct aead_with {
    enum aead_kind kind;
    const uint8_t *key, *nonce;
    const uint8_t *header;
    size_t header_count;
};

/* For logs: "AES-128-GCM". */
const char *aead_name(enum aead_kind kind);
size_t aead_key_bytes(enum aead_kind kind);
