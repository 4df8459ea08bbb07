/* net/tls/tls_keys.c - HKDF-Expand-Label of TLS 1.3, and the key block of TLS 1.2. */
#include "net/tls/tls_keys.h"

#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>
#include <string.h>

enum {
    LABEL_BYTES_MAX = 32,
    GCM_SALT_BYTES = 4, /* RFC 5288 3 */
};

static const mbedtls_md_info_t *hash_of(enum aead_kind kind)
{
    return mbedtls_md_info_from_type(kind == AEAD_AES_256_GCM ? MBEDTLS_MD_SHA384 : MBEDTLS_MD_SHA256);
}

size_t tls_secret_bytes(enum aead_kind kind)
{
    return kind == AEAD_AES_256_GCM ? 48 : 32;
}

/* RFC 8446 7.1, without context. */
static enum rc expand_label(enum aead_kind kind, const uint8_t *secret, const char *label, uint8_t *to, size_t count)
{
    uint8_t info[LABEL_BYTES_MAX];
    int label_count = snprintf((char *)info + 3, sizeof info - 3, "tls13 %s", label);
    info[0] = 0;
    info[1] = (uint8_t)count;
    info[2] = (uint8_t)label_count;
    info[3 + label_count] = 0; /* length of the context */
    int error =
        mbedtls_hkdf_expand(hash_of(kind), secret, tls_secret_bytes(kind), info, (size_t)label_count + 4, to, count);
    return error == 0 ? RC_OK : RC_ENOMEM;
}

static enum rc set_keys(struct tls_direction *direction, enum aead_kind kind)
{
    direction->sequence = 0;
    enum rc rc = expand_label(kind, direction->secret, "key", direction->key, aead_key_bytes(kind));
    if (rc != RC_OK) return rc;
    return expand_label(kind, direction->secret, "iv", direction->iv, sizeof direction->iv);
}

enum rc tls_keys_of_secret(struct tls_direction *direction, enum aead_kind kind, const uint8_t *secret)
{
    memcpy(direction->secret, secret, tls_secret_bytes(kind));
    return set_keys(direction, kind);
}

enum rc tls_keys_next(struct tls_direction *direction, enum aead_kind kind)
{
    uint8_t next[TLS_SECRET_BYTES_MAX];
    enum rc rc = expand_label(kind, direction->secret, "traffic upd", next, tls_secret_bytes(kind));
    if (rc == RC_OK) rc = tls_keys_of_secret(direction, kind, next);
    mbedtls_platform_zeroize(next, sizeof next);
    return rc;
}

enum rc tls_keys_of_master(struct tls_direction *client, struct tls_direction *server, enum aead_kind kind,
                           const struct tls_master *master)
{
    uint8_t random[2 * TLS_RANDOM_BYTES], block[2 * (AEAD_KEY_BYTES_MAX + AEAD_NONCE_BYTES)];
    size_t key_bytes = aead_key_bytes(kind);
    size_t iv_bytes = kind == AEAD_CHACHA20_POLY1305 ? AEAD_NONCE_BYTES : GCM_SALT_BYTES;
    memcpy(random, master->server_random, TLS_RANDOM_BYTES); /* the server's first, here alone */
    memcpy(random + TLS_RANDOM_BYTES, master->client_random, TLS_RANDOM_BYTES);
    int error = mbedtls_ssl_tls_prf(master->prf, master->secret, TLS_SECRET_BYTES_MAX, "key expansion", random,
                                    sizeof random, block, 2 * (key_bytes + iv_bytes));
    if (error != 0) return RC_ENOMEM;
    memcpy(client->key, block, key_bytes);
    memcpy(server->key, block + key_bytes, key_bytes);
    memcpy(client->iv, block + 2 * key_bytes, iv_bytes);
    memcpy(server->iv, block + 2 * key_bytes + iv_bytes, iv_bytes);
    mbedtls_platform_zeroize(block, sizeof block);
    return RC_OK;
}
