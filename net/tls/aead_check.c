/* net/tls/aead_check.c - the known answer. */
#include "net/tls/aead_check.h"

#include "net/tls/aead_library.h"

#include <stdbool.h>
#include <string.h>

enum { CHECK_BYTES = 100 };

static const uint8_t check_header[] = "ringcast",
                     check_key[AEAD_KEY_BYTES_MAX] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                      16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31};
static const uint8_t check_nonce[AEAD_NONCE_BYTES] = "@ABCDEFGHIJK";

/* The tags of 0, 1, 2, ... 99 by OpenSSL; each depends on every byte that is sealed. */
static const uint8_t check_tags[AEAD_KINDS_MAX][AEAD_TAG_BYTES] = {
    [AEAD_AES_128_GCM] = {0x5a, 0x61, 0x4d, 0xdb, 0x26, 0x39, 0x56, 0x66, 0x70, 0x57, 0x4e, 0x11, 0x55, 0xf1, 0x78,
                          0x20},
    [AEAD_AES_256_GCM] = {0x48, 0xd4, 0x96, 0x90, 0x8d, 0xf7, 0x3d, 0x00, 0xed, 0x4f, 0xce, 0x25, 0x1e, 0x20, 0xe2,
                          0x37},
    [AEAD_CHACHA20_POLY1305] = {0xb9, 0xd2, 0xc8, 0x5b, 0xa3, 0xa6, 0x9b, 0x9a, 0x3b, 0x0a, 0xcb, 0xe7, 0x0b, 0x19,
                                0x51, 0xbb},
};

struct aead_with aead_check_with(enum aead_kind kind)
{
    return (struct aead_with){kind, check_key, check_nonce, check_header, sizeof check_header - 1};
}

enum rc aead_check(struct aead *aead, const struct aead_library *library, enum aead_kind kind)
{
    uint8_t plain[CHECK_BYTES], sealed[CHECK_BYTES + AEAD_TAG_BYTES], opened[CHECK_BYTES] = {0};
    struct aead_with with = aead_check_with(kind);
    for (size_t i = 0; i < CHECK_BYTES; i++) {
        plain[i] = (uint8_t)i;
    }
    enum rc rc = library->seal(aead, &with, plain, CHECK_BYTES - 1, plain + CHECK_BYTES - 1, 1, sealed);
    if (rc == RC_OK) rc = library->open(aead, &with, sealed, sizeof sealed, opened);
    if (rc != RC_OK) return rc;
    bool is_right = memcmp(sealed + CHECK_BYTES, check_tags[kind], AEAD_TAG_BYTES) == 0 &&
                    memcmp(opened, plain, CHECK_BYTES) == 0;
    if (!is_right) return RC_EPROTO;
    sealed[0] ^= 1;
    rc = library->open(aead, &with, sealed, sizeof sealed, opened);
    return rc == RC_EPROTO ? RC_OK : RC_EPROTO; /* what was changed is refused */
}
