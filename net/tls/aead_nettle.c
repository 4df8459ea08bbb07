/* net/tls/aead_nettle.c - AEADs by nettle.
 *
 * Its calls take whole blocks, but for the last one: what is left of a text, with what stands behind it, goes through a
 * block of ours. */
#include "net/tls/aead_library.h"

#include <mbedtls/platform_util.h>
#include <nettle/memops.h>
#include <nettle/nettle-meta.h>
#include <string.h>

enum { BLOCK_BYTES_MAX = CHACHA_POLY1305_BLOCK_SIZE };

static const struct nettle_aead *const kinds[AEAD_KINDS_MAX] = {
    [AEAD_AES_128_GCM] = &nettle_gcm_aes128,
    [AEAD_AES_256_GCM] = &nettle_gcm_aes256,
    [AEAD_CHACHA20_POLY1305] = &nettle_chacha_poly1305,
};

static void begin(void *context, const struct nettle_aead *kind, const struct aead_with *with)
{
    kind->set_encrypt_key(context, with->key);
    kind->set_nonce(context, with->nonce);
    kind->update(context, with->header_count, with->header);
}

static enum rc seal(struct aead *aead, const struct aead_with *with, const uint8_t *plain, size_t count,
                    const uint8_t *end, size_t end_count, uint8_t *sealed)
{
    const struct nettle_aead *kind = kinds[with->kind];
    void *context = &aead->nettle;
    uint8_t last[BLOCK_BYTES_MAX + AEAD_END_BYTES_MAX];
    size_t rest = count % kind->block_size, whole = count - rest;
    begin(context, kind, with);
    if (whole > 0) kind->encrypt(context, whole, sealed, plain);
    if (rest > 0) memcpy(last, plain + whole, rest);
    if (end_count > 0) memcpy(last + rest, end, end_count);
    if (rest + end_count > 0) kind->encrypt(context, rest + end_count, sealed + whole, last);
    kind->digest(context, AEAD_TAG_BYTES, sealed + count + end_count);
    return RC_OK;
}

static enum rc open(struct aead *aead, const struct aead_with *with, const uint8_t *sealed, size_t count,
                    uint8_t *plain)
{
    const struct nettle_aead *kind = kinds[with->kind];
    void *context = &aead->nettle;
    uint8_t tag[AEAD_TAG_BYTES];
    size_t text_count = count - AEAD_TAG_BYTES;
    begin(context, kind, with);
    if (text_count > 0) kind->decrypt(context, text_count, plain, sealed);
    kind->digest(context, sizeof tag, tag);
    if (memeql_sec(tag, sealed + text_count, sizeof tag)) return RC_OK;
    mbedtls_platform_zeroize(plain, text_count);
    return RC_EPROTO;
}

const struct aead_library aead_nettle = {"nettle", seal, open};
