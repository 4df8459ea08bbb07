/* net/tls/tls_hash.c - a block of mbedTLS' by nettle. */
#include "net/tls/tls_hash.h"

#include <dlfcn.h>
#include <mbedtls/sha256.h>
#include <nettle/sha2.h>
#include <string.h>

typedef int process_call(mbedtls_sha256_context *context, const unsigned char block[SHA256_BLOCK_SIZE]);

process_call __wrap_mbedtls_internal_sha256_process;

static bool is_used;
static _Thread_local uint64_t count;

static int process_by_mbedtls(mbedtls_sha256_context *context, const unsigned char block[SHA256_BLOCK_SIZE])
{
    static process_call *original; /* the same whoever finds it */
    process_call *call = __atomic_load_n(&original, __ATOMIC_RELAXED);
    if (call == NULL) {
        call = (process_call *)dlsym(RTLD_NEXT, "mbedtls_internal_sha256_process");
        __atomic_store_n(&original, call, __ATOMIC_RELAXED);
    }
    return call(context, block);
}

/* Whole blocks alone: nettle digests them as they come. (SHA-224 differs in where it begins and ends.) */
int __wrap_mbedtls_internal_sha256_process(mbedtls_sha256_context *context,
                                           const unsigned char block[SHA256_BLOCK_SIZE])
{
    struct sha256_ctx nettle = {.count = 0};
    if (!is_used) return process_by_mbedtls(context, block);
    memcpy(nettle.state, context->MBEDTLS_PRIVATE(state), sizeof nettle.state);
    sha256_update(&nettle, SHA256_BLOCK_SIZE, block);
    memcpy(context->MBEDTLS_PRIVATE(state), nettle.state, sizeof nettle.state);
    explicit_bzero(nettle.state, sizeof nettle.state);
    count++;
    return 0;
}

/* Weak: a static library's own goes before it. */
int mbedtls_internal_sha256_process(mbedtls_sha256_context *context, const unsigned char block[SHA256_BLOCK_SIZE])
    __attribute__((weak, alias("__wrap_mbedtls_internal_sha256_process")));

/* ---- the check ---- */

/* FIPS 180-4's "two-block message", and its digest. */
static bool is_right(void)
{
    static const char message[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const uint8_t expected[SHA256_DIGEST_SIZE] = {
        0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26, 0x93, 0x0c, 0x3e, 0x60, 0x39,
        0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff, 0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1};
    uint8_t digest[SHA256_DIGEST_SIZE];
    uint64_t before = count;
    int error = mbedtls_sha256((const unsigned char *)message, sizeof message - 1, digest, 0);
    return error == 0 && count == before + 2 && memcmp(digest, expected, sizeof digest) == 0;
}

bool tls_hash_begin(void)
{
    is_used = true;
    is_used = is_right();
    return is_used;
}

void tls_hash_end(void)
{
    is_used = false;
}

bool tls_hash_is_used(void)
{
    return is_used;
}
