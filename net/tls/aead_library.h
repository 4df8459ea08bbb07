/* net/tls/aead_library.h - the libraries behind net/tls/aead.h; for its files and tests. */
#pragma once

#include "core/rc.h"
#include "net/tls/aead_kind.h"

#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <nettle/chacha-poly1305.h>
#include <nettle/gcm.h>

/* All contexts a thread needs; what one call leaves in them the next one overwrites. */
struct aead {
    mbedtls_gcm_context mbedtls_gcm;
    mbedtls_chachapoly_context mbedtls_chachapoly;
    union {
        struct gcm_aes128_ctx aes_128;
        struct gcm_aes256_ctx aes_256;
        struct chacha_poly1305_ctx chacha20;
    } nettle;
};

/* Like aead_seal() and aead_open(). */
typedef enum rc aead_seal_call(struct aead *aead, const struct aead_with *with, const uint8_t *plain, size_t count,
                               const uint8_t *end, size_t end_count, uint8_t *sealed);
typedef enum rc aead_open_call(struct aead *aead, const struct aead_with *with, const uint8_t *sealed, size_t count,
                               uint8_t *plain);

struct aead_library {
    const char *name;
    aead_seal_call *seal;
    aead_open_call *open;
};

extern const struct aead_library aead_nettle, aead_mbedtls;
