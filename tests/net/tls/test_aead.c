/* tests/net/tls/test_aead.c - AES-GCM and ChaCha20-Poly1305 by both libraries: known answers, every length against
 * each other, everything that was changed refused; and what is said of a library that gets it wrong. */
#include "net/tls/aead.h"
#include "net/tls/aead_check.h"
#include "net/tls/aead_library.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES_MAX = 512 };

static const struct aead_library *const libraries[] = {&aead_nettle, &aead_mbedtls};

static size_t from_hex(const char *hex, uint8_t *to)
{
    size_t count = strlen(hex) / 2;
    for (size_t i = 0; i < count; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        to[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return count;
}

#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define GCM_PLAIN                                                      \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_HEADER "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define ZEROS_12   "000000000000000000000000"
#define ZEROS_16   "00000000000000000000000000000000"

/* NIST's of the GCM specification (its test cases 1, 2, 4, 13, 14, 16), and RFC 8439 2.8.2. The tag is the end of
 * `sealed`. */
static const struct {
    enum aead_kind kind;
    const char *key, *nonce, *header, *plain, *sealed;
} answers[] = {
    {AEAD_AES_128_GCM, ZEROS_16, ZEROS_12, "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
    {AEAD_AES_128_GCM, ZEROS_16, ZEROS_12, "", ZEROS_16,
     "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"},
    {AEAD_AES_128_GCM, GCM_KEY, "cafebabefacedbaddecaf888", GCM_HEADER, GCM_PLAIN,
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47"},
    {AEAD_AES_256_GCM, ZEROS_16 ZEROS_16, ZEROS_12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {AEAD_AES_256_GCM, ZEROS_16 ZEROS_16, ZEROS_12, "", ZEROS_16,
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {AEAD_AES_256_GCM, GCM_KEY GCM_KEY, "cafebabefacedbaddecaf888", GCM_HEADER, GCM_PLAIN,
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"},
    {AEAD_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
     "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
     "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
     "637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
     "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
     "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
     "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691"},
};

Test(aead, both_libraries_give_the_known_answers, .timeout = 10)
{
    struct aead *aead = aead_new();
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        uint8_t key[AEAD_KEY_BYTES_MAX], nonce[AEAD_NONCE_BYTES], header[32], plain[200], sealed[200], ours[200];
        cr_assert_eq(from_hex(answers[i].key, key), aead_key_bytes(answers[i].kind));
        cr_assert_eq(from_hex(answers[i].nonce, nonce), AEAD_NONCE_BYTES);
        struct aead_with with = {answers[i].kind, key, nonce, header, from_hex(answers[i].header, header)};
        size_t count = from_hex(answers[i].plain, plain);
        cr_assert_eq(from_hex(answers[i].sealed, sealed), count + AEAD_TAG_BYTES);
        for (size_t j = 0; j < 2; j++) {
            cr_assert_eq(libraries[j]->seal(aead, &with, plain, count, NULL, 0, ours), RC_OK);
            cr_expect_arr_eq(ours, sealed, count + AEAD_TAG_BYTES, "row %zu, %s", i, libraries[j]->name);
            memset(ours, 0xee, sizeof ours);
            cr_expect_eq(libraries[j]->open(aead, &with, sealed, count + AEAD_TAG_BYTES, ours), RC_OK);
            cr_expect_arr_eq(ours, plain, count, "row %zu, %s", i, libraries[j]->name);
        }
    }
    aead_free(aead);
}

/* Blocks of their own, so that the sanitizer sees what is read or written behind them. */
static uint8_t *block(size_t count)
{
    uint8_t *bytes = malloc(count > 0 ? count : 1);
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(i * 31 >> 2);
    return bytes;
}

static void expect_same(struct aead *aead, enum aead_kind kind, size_t count, size_t end_count)
{
    static const uint8_t key[AEAD_KEY_BYTES_MAX] = "0123456789abcdef0123456789ABCDE", end[] = "fedcba9876543210";
    uint8_t nonce[AEAD_NONCE_BYTES] = "nonce", header[13] = "header of 13";
    nonce[5] = (uint8_t)count;
    struct aead_with with = {kind, key, nonce, header, count % (sizeof header + 1)};
    size_t all = count + end_count;
    uint8_t *plain = block(count), *opened = block(all);
    uint8_t *sealed[2] = {block(all + AEAD_TAG_BYTES), block(all + AEAD_TAG_BYTES)};
    for (size_t i = 0; i < 2; i++)
        cr_assert_eq(libraries[i]->seal(aead, &with, plain, count, end, end_count, sealed[i]), RC_OK);
    cr_expect_arr_eq(sealed[0], sealed[1], all + AEAD_TAG_BYTES, "kind %d, %zu and %zu", kind, count, end_count);
    for (size_t i = 0; i < 2; i++) {
        memset(opened, 0xee, all);
        cr_assert_eq(libraries[i]->open(aead, &with, sealed[i], all + AEAD_TAG_BYTES, opened), RC_OK);
        cr_expect(memcmp(opened, plain, count) == 0 && memcmp(opened + count, end, end_count) == 0);
    }
    free(plain);
    free(opened);
    free(sealed[0]);
    free(sealed[1]);
}

Test(aead, both_libraries_agree_on_every_length, .timeout = 60)
{
    struct aead *aead = aead_new();
    for (enum aead_kind kind = 0; kind < AEAD_KINDS_MAX; kind++) {
        for (size_t count = 0; count <= TEXT_BYTES_MAX; count++) {
            expect_same(aead, kind, count, 0);
            expect_same(aead, kind, count, 1);
        }
        for (size_t end_count = 2; end_count <= AEAD_END_BYTES_MAX; end_count++)
            expect_same(aead, kind, 63, end_count);
        for (size_t count = 16384 - 2; count <= 16384; count++)
            expect_same(aead, kind, count, 1);
    }
    aead_free(aead);
}

/* Nonce, header, text and tag, each bit of each byte: refused, and not a byte of the text is shown. */
Test(aead, what_was_changed_is_refused_and_not_shown, .timeout = 60)
{
    struct aead *aead = aead_new();
    uint8_t key[AEAD_KEY_BYTES_MAX] = "key";
    static const uint8_t plain[33] = "some text that nobody is to see.", zeros[33];
    for (enum aead_kind kind = 0; kind < AEAD_KINDS_MAX; kind++) {
        uint8_t bytes[AEAD_NONCE_BYTES + 5 + sizeof plain + AEAD_TAG_BYTES] = "nonce", opened[sizeof plain];
        uint8_t *nonce = bytes, *header = nonce + AEAD_NONCE_BYTES, *sealed = header + 5;
        struct aead_with with = {kind, key, nonce, header, 5};
        for (size_t i = 0; i < 2; i++) {
            cr_assert_eq(libraries[i]->seal(aead, &with, plain, sizeof plain, NULL, 0, sealed), RC_OK);
            for (size_t bit = 0; bit < sizeof bytes * 8; bit++) {
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                memcpy(opened, plain, sizeof plain);
                cr_expect_eq(libraries[i]->open(aead, &with, sealed, sizeof plain + AEAD_TAG_BYTES, opened),
                             RC_EPROTO, "%s, bit %zu", libraries[i]->name, bit);
                cr_expect_arr_eq(opened, zeros, sizeof opened);
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
            cr_expect_eq(libraries[i]->open(aead, &with, sealed, sizeof plain + AEAD_TAG_BYTES, opened), RC_OK);
        }
    }
    aead_free(aead);
}

/* ---- the choice ---- */

Test(aead, one_of_the_libraries_is_chosen_for_each_kind_and_works, .timeout = 10)
{
    cr_assert_eq(aead_global_init(), RC_OK);
    cr_assert_eq(aead_global_init(), RC_OK, "again");
    struct aead *aead = aead_new();
    for (enum aead_kind kind = 0; kind < AEAD_KINDS_MAX; kind++) {
        static const uint8_t zeros[64];
        uint8_t sealed[5 + AEAD_TAG_BYTES], opened[5];
        struct aead_with with = {kind, zeros, zeros, zeros, 3};
        const char *name = aead_library(kind);
        cr_expect(strcmp(name, "nettle") == 0 || strcmp(name, "mbedTLS") == 0);
        cr_log_info("%s: %s", aead_name(kind), name);
        cr_expect_eq(aead_seal(aead, &with, (const uint8_t *)"text", 4, (const uint8_t *)"!", 1, sealed), RC_OK);
        cr_expect_eq(aead_open(aead, &with, sealed, sizeof sealed, opened), RC_OK);
        cr_expect_arr_eq(opened, "text!", 5);
    }
    aead_free(aead);
    aead_free(NULL);
}

static enum rc seal_wrongly(struct aead *aead, const struct aead_with *with, const uint8_t *plain, size_t count,
                            const uint8_t *end, size_t end_count, uint8_t *sealed)
{
    enum rc rc = aead_nettle.seal(aead, with, plain, count, end, end_count, sealed);
    sealed[count + end_count] ^= 1;
    return rc;
}

static enum rc open_anything(struct aead *aead, const struct aead_with *with, const uint8_t *sealed, size_t count,
                             uint8_t *plain)
{
    aead_nettle.open(aead, with, sealed, count, plain);
    return RC_OK;
}

static enum rc open_nothing(struct aead *aead, const struct aead_with *with, const uint8_t *sealed, size_t count,
                            uint8_t *plain)
{
    (void)aead, (void)with, (void)sealed, (void)count, (void)plain;
    return RC_EPROTO;
}

Test(aead, a_library_that_gets_it_wrong_is_found_out, .timeout = 10)
{
    const struct aead_library wrong[] = {{"wrong tag", seal_wrongly, aead_nettle.open},
                                         {"opens anything", aead_nettle.seal, open_anything},
                                         {"opens nothing", aead_nettle.seal, open_nothing}};
    struct aead *aead = aead_new();
    for (enum aead_kind kind = 0; kind < AEAD_KINDS_MAX; kind++) {
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
            cr_expect_eq(aead_check(aead, &wrong[i], kind), RC_EPROTO, "%s", wrong[i].name);
        cr_expect_eq(aead_check(aead, &aead_nettle, kind), RC_OK);
        cr_expect_eq(aead_check(aead, &aead_mbedtls, kind), RC_OK);
    }
    aead_free(aead);
}
