/* net/tls/aead_mbedtls.c - AEADs by mbedTLS: always there, and the slower one from some hundred bytes up, for it works
 * block by block. */
#include "net/tls/aead_library.h"

#include <mbedtls/platform_util.h>

static enum rc rc_of(int error)
{
    if (error == 0) return RC_OK;
    bool is_forged = error == MBEDTLS_ERR_GCM_AUTH_FAILED || error == MBEDTLS_ERR_CHACHAPOLY_AUTH_FAILED;
    return is_forged ? RC_EPROTO : RC_ENOMEM; /* all lengths are right: nothing else is left */
}

/* ---- AES-GCM ---- */

static int set_gcm_key(mbedtls_gcm_context *gcm, const struct aead_with *with)
{
    return mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, with->key, (unsigned)aead_key_bytes(with->kind) * 8);
}

static int seal_gcm(mbedtls_gcm_context *gcm, const struct aead_with *with, const uint8_t *plain, size_t count,
                    const uint8_t *end, size_t end_count, uint8_t *sealed)
{
    size_t done;
    int error = set_gcm_key(gcm, with);
    if (error == 0) error = mbedtls_gcm_starts(gcm, MBEDTLS_GCM_ENCRYPT, with->nonce, AEAD_NONCE_BYTES);
    if (error == 0) error = mbedtls_gcm_update_ad(gcm, with->header, with->header_count);
    if (error == 0 && count > 0) error = mbedtls_gcm_update(gcm, plain, count, sealed, count, &done);
    if (error == 0 && end_count > 0)
        error = mbedtls_gcm_update(gcm, end, end_count, sealed + count, end_count, &done);
    if (error != 0) return error;
    return mbedtls_gcm_finish(gcm, NULL, 0, &done, sealed + count + end_count, AEAD_TAG_BYTES);
}

static int open_gcm(mbedtls_gcm_context *gcm, const struct aead_with *with, const uint8_t *sealed, size_t count,
                    uint8_t *plain)
{
    int error = set_gcm_key(gcm, with);
    if (error != 0) return error;
    return mbedtls_gcm_auth_decrypt(gcm, count, with->nonce, AEAD_NONCE_BYTES, with->header, with->header_count,
                                    sealed + count, AEAD_TAG_BYTES, sealed, plain);
}

/* ---- ChaCha20-Poly1305 ---- */

static int seal_chacha20(mbedtls_chachapoly_context *chacha20, const struct aead_with *with, const uint8_t *plain,
                         size_t count, const uint8_t *end, size_t end_count, uint8_t *sealed)
{
    int error = mbedtls_chachapoly_setkey(chacha20, with->key);
    if (error == 0) error = mbedtls_chachapoly_starts(chacha20, with->nonce, MBEDTLS_CHACHAPOLY_ENCRYPT);
    if (error == 0) error = mbedtls_chachapoly_update_aad(chacha20, with->header, with->header_count);
    if (error == 0 && count > 0) error = mbedtls_chachapoly_update(chacha20, count, plain, sealed);
    if (error == 0 && end_count > 0) error = mbedtls_chachapoly_update(chacha20, end_count, end, sealed + count);
    return error != 0 ? error : mbedtls_chachapoly_finish(chacha20, sealed + count + end_count);
}

static int open_chacha20(mbedtls_chachapoly_context *chacha20, const struct aead_with *with, const uint8_t *sealed,
                         size_t count, uint8_t *plain)
{
    int error = mbedtls_chachapoly_setkey(chacha20, with->key);
    if (error != 0) return error;
    return mbedtls_chachapoly_auth_decrypt(chacha20, count, with->nonce, with->header, with->header_count,
                                           sealed + count, sealed, plain);
}

/* ---- the library ---- */

static enum rc seal(struct aead *aead, const struct aead_with *with, const uint8_t *plain, size_t count,
                    const uint8_t *end, size_t end_count, uint8_t *sealed)
{
    if (with->kind == AEAD_CHACHA20_POLY1305)
        return rc_of(seal_chacha20(&aead->mbedtls_chachapoly, with, plain, count, end, end_count, sealed));
    return rc_of(seal_gcm(&aead->mbedtls_gcm, with, plain, count, end, end_count, sealed));
}

static enum rc open(struct aead *aead, const struct aead_with *with, const uint8_t *sealed, size_t count,
                    uint8_t *plain)
{
    size_t text_count = count - AEAD_TAG_BYTES;
    if (with->kind == AEAD_CHACHA20_POLY1305)
        return rc_of(open_chacha20(&aead->mbedtls_chachapoly, with, sealed, text_count, plain));
    return rc_of(open_gcm(&aead->mbedtls_gcm, with, sealed, text_count, plain));
}

const struct aead_library aead_mbedtls = {"mbedTLS", seal, open};
