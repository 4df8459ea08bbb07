/* net/tls/tls_sign.c - mbedTLS' digest, key and generator to hogweed, and the signature back. */
#include "net/tls/tls_sign.h"

#include "net/tls/gmp_memory.h"
#include "net/tls/gmp_number.h"

#include <dlfcn.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/sha256.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <string.h>

typedef int rng_call(void *, unsigned char *, size_t);

typedef int sign_call(mbedtls_ecp_group *group, mbedtls_mpi *r, mbedtls_mpi *s, const mbedtls_mpi *key,
                      const unsigned char *digest, size_t digest_count, rng_call *rng, void *rng_state,
                      rng_call *blinding_rng, void *blinding_rng_state, mbedtls_ecdsa_restart_ctx *restart);

sign_call __wrap_mbedtls_ecdsa_sign_restartable;

static bool is_used;
static _Thread_local uint64_t count;

/* ---- the nonce ---- */

struct generator {
    rng_call *rng;
    void *state;
    int error;
};

/* hogweed asks again for as long as the number is out of range, and knows no error: then it gets one that is in range,
 * and what it makes of it is thrown away. */
static void draw(void *generator_given, size_t count_wanted, uint8_t *to)
{
    struct generator *generator = generator_given;
    if (generator->error == 0) generator->error = generator->rng(generator->state, to, count_wanted);
    if (generator->error != 0) memset(to, 1, count_wanted);
}

/* ---- a signature ---- */

/* r behind s, as numbers of 32 bytes; false: the key is out of range. */
static bool sign_bytes(uint8_t r[GMP_NUMBER_BYTES], uint8_t s[GMP_NUMBER_BYTES], const uint8_t key[GMP_NUMBER_BYTES],
                       const uint8_t *digest, size_t digest_count, struct generator *generator)
{
    struct ecc_scalar scalar;
    struct dsa_signature signature;
    mpz_t number;
    ecc_scalar_init(&scalar, nettle_get_secp_256r1());
    dsa_signature_init(&signature);
    gmp_number_import(number, key);
    bool is_good = ecc_scalar_set(&scalar, number) != 0;
    if (is_good) {
        ecdsa_sign(&scalar, generator, draw, digest_count, digest, &signature);
        gmp_number_export(signature.r, r);
        gmp_number_export(signature.s, s);
    }
    mpz_clear(number);
    dsa_signature_clear(&signature);
    ecc_scalar_clear(&scalar);
    return is_good;
}

static int sign(mbedtls_mpi *r, mbedtls_mpi *s, const mbedtls_mpi *key, const unsigned char *digest,
                size_t digest_count, struct generator generator)
{
    struct gmp_memory memory;
    uint8_t key_bytes[GMP_NUMBER_BYTES], r_bytes[GMP_NUMBER_BYTES], s_bytes[GMP_NUMBER_BYTES];
    if (mbedtls_mpi_cmp_int(key, 1) < 0 || mbedtls_mpi_write_binary(key, key_bytes, sizeof key_bytes) != 0)
        return MBEDTLS_ERR_ECP_INVALID_KEY;
    memory.used = 0;
    gmp_memory_enter(&memory);
    bool is_good = sign_bytes(r_bytes, s_bytes, key_bytes, digest, digest_count, &generator);
    gmp_memory_leave(&memory);
    explicit_bzero(key_bytes, sizeof key_bytes);
    if (!is_good) return MBEDTLS_ERR_ECP_INVALID_KEY;
    int error = generator.error;
    if (error == 0) error = mbedtls_mpi_read_binary(r, r_bytes, sizeof r_bytes);
    if (error == 0) error = mbedtls_mpi_read_binary(s, s_bytes, sizeof s_bytes);
    if (error == 0) count++;
    return error;
}

/* ---- in mbedTLS' place ---- */

static sign_call *find_original(void)
{
    static sign_call *original; /* the same whoever finds it */
    sign_call *call = __atomic_load_n(&original, __ATOMIC_RELAXED);
    if (call != NULL) return call;
    call = (sign_call *)dlsym(RTLD_NEXT, "mbedtls_ecdsa_sign_restartable");
    __atomic_store_n(&original, call, __ATOMIC_RELAXED);
    return call;
}

int __wrap_mbedtls_ecdsa_sign_restartable(mbedtls_ecp_group *group, mbedtls_mpi *r, mbedtls_mpi *s,
                                          const mbedtls_mpi *key, const unsigned char *digest, size_t digest_count,
                                          rng_call *rng, void *rng_state, rng_call *blinding_rng,
                                          void *blinding_rng_state, mbedtls_ecdsa_restart_ctx *restart)
{
    if (is_used && group->id == MBEDTLS_ECP_DP_SECP256R1)
        return sign(r, s, key, digest, digest_count, (struct generator){.rng = rng, .state = rng_state});
    return find_original()(group, r, s, key, digest, digest_count, rng, rng_state, blinding_rng, blinding_rng_state,
                           restart);
}

/* Weak: a static library's own goes before it. */
int mbedtls_ecdsa_sign_restartable(mbedtls_ecp_group *group, mbedtls_mpi *r, mbedtls_mpi *s, const mbedtls_mpi *key,
                                   const unsigned char *digest, size_t digest_count, rng_call *rng, void *rng_state,
                                   rng_call *blinding_rng, void *blinding_rng_state,
                                   mbedtls_ecdsa_restart_ctx *restart)
    __attribute__((weak, alias("__wrap_mbedtls_ecdsa_sign_restartable")));

/* ---- the check ---- */

/* RFC 6979 A.2.5, with SHA-256, message "sample". In hexadecimal. */
#define KEY "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"
#define R   "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
#define S   "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"

static int sign_sample(mbedtls_ecp_group *group, mbedtls_mpi *r, mbedtls_mpi *s, mbedtls_mpi *key)
{
    uint8_t digest[32];
    int error = mbedtls_ecp_group_load(group, MBEDTLS_ECP_DP_SECP256R1);
    if (error == 0) error = mbedtls_mpi_read_string(key, 16, KEY);
    if (error == 0) error = mbedtls_sha256((const unsigned char *)"sample", strlen("sample"), digest, 0);
    if (error != 0) return error;
    return mbedtls_ecdsa_sign_det_ext(group, r, s, key, digest, sizeof digest, MBEDTLS_MD_SHA256,
                                      mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
}

static bool is_number(const mbedtls_mpi *number, const char *expected)
{
    mbedtls_mpi other;
    mbedtls_mpi_init(&other);
    bool is_same = mbedtls_mpi_read_string(&other, 16, expected) == 0 && mbedtls_mpi_cmp_mpi(number, &other) == 0;
    mbedtls_mpi_free(&other);
    return is_same;
}

static bool is_right(void)
{
    mbedtls_ecp_group group;
    mbedtls_mpi r, s, key;
    uint64_t before = count;
    mbedtls_ecp_group_init(&group);
    mbedtls_mpi_init(&r);
    mbedtls_mpi_init(&s);
    mbedtls_mpi_init(&key);
    bool is_good =
        sign_sample(&group, &r, &s, &key) == 0 && count == before + 1 && is_number(&r, R) && is_number(&s, S);
    mbedtls_mpi_free(&key);
    mbedtls_mpi_free(&s);
    mbedtls_mpi_free(&r);
    mbedtls_ecp_group_free(&group);
    return is_good;
}

bool tls_sign_begin(void)
{
    gmp_memory_begin();
    is_used = true;
    is_used = is_right();
    return is_used;
}

void tls_sign_end(void)
{
    is_used = false;
}

bool tls_sign_is_used(void)
{
    return is_used;
}

uint64_t tls_sign_count(void)
{
    return count;
}
