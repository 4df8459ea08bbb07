/* net/digest.c - digests from mbedTLS's message-digest layer, written in hex. */
#include "net/digest.h"

#include <mbedtls/constant_time.h>
#include <mbedtls/md.h>
#include <mbedtls/md5.h>
#include <mbedtls/sha1.h>

enum {
    HMAC_BYTES = DIGEST_HMAC_HEX_BYTES / 2,
    MD5_BYTES = DIGEST_MD5_HEX_BYTES / 2,
    SHA1_BYTES = DIGEST_SHA1_HEX_BYTES / 2,
};

/* Lower case: the other side compares texts. */
static void write_hex(const unsigned char *bytes, size_t count, char *hex)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        *hex++ = digits[bytes[i] >> 4];
        *hex++ = digits[bytes[i] & 0x0f];
    }
    *hex = '\0';
}

static bool compute_hmac(mbedtls_md_context_t *md, struct text key, const struct text pieces[], size_t pieces_count,
                         unsigned char hmac[HMAC_BYTES])
{
    if (mbedtls_md_setup(md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1) != 0) return false;
    if (mbedtls_md_hmac_starts(md, (const unsigned char *)key.at, key.count) != 0) return false;
    for (size_t i = 0; i < pieces_count; i++) {
        if (mbedtls_md_hmac_update(md, (const unsigned char *)pieces[i].at, pieces[i].count) != 0) return false;
    }
    return mbedtls_md_hmac_finish(md, hmac) == 0;
}

enum rc digest_hmac_hex(struct text key, const struct text pieces[], size_t pieces_count,
                        char hex_r[DIGEST_HMAC_HEX_BYTES + 1])
{
    unsigned char hmac[HMAC_BYTES];
    mbedtls_md_context_t md;
    mbedtls_md_init(&md);
    bool is_done = compute_hmac(&md, key, pieces, pieces_count, hmac);
    mbedtls_md_free(&md);
    if (!is_done) return RC_ENOMEM;
    write_hex(hmac, sizeof hmac, hex_r);
    return RC_OK;
}

enum rc digest_md5_hex(struct text text, char hex_r[DIGEST_MD5_HEX_BYTES + 1])
{
    unsigned char md5[MD5_BYTES];
    if (mbedtls_md5((const unsigned char *)text.at, text.count, md5) != 0) return RC_ENOMEM;
    write_hex(md5, sizeof md5, hex_r);
    return RC_OK;
}

enum rc digest_sha1_hex(struct text text, char hex_r[DIGEST_SHA1_HEX_BYTES + 1])
{
    unsigned char sha1[SHA1_BYTES];
    if (mbedtls_sha1((const unsigned char *)text.at, text.count, sha1) != 0) return RC_ENOMEM;
    write_hex(sha1, sizeof sha1, hex_r);
    return RC_OK;
}

bool digest_equals(struct text given, struct text expected)
{
    if (given.count != expected.count) return false;
    return given.count == 0 || mbedtls_ct_memcmp(given.at, expected.at, given.count) == 0;
}
