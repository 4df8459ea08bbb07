/* net/tls/tls_curve.c - mbedTLS' numbers to hogweed's and back. */
#include "net/tls/tls_curve.h"

#include "net/tls/gmp_memory.h"
#include "net/tls/gmp_number.h"

#include <dlfcn.h>
#include <mbedtls/ecdh.h>
#include <mbedtls/ecp.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/psa_util.h>
#include <nettle/curve25519.h>
#include <nettle/ecc-curve.h>
#include <nettle/ecc.h>
#include <string.h>

typedef int rng_call(void *, unsigned char *, size_t);

typedef int multiply_call(mbedtls_ecp_group *group, mbedtls_ecp_point *product, const mbedtls_mpi *scalar,
                          const mbedtls_ecp_point *point, rng_call *rng, void *rng_state);
typedef int multiply_restartable_call(mbedtls_ecp_group *group, mbedtls_ecp_point *product, const mbedtls_mpi *scalar,
                                      const mbedtls_ecp_point *point, rng_call *rng, void *rng_state,
                                      mbedtls_ecp_restart_ctx *restart);

/* mbedTLS' own, where the linker wraps it. */
multiply_call __real_mbedtls_ecp_mul __attribute__((weak));
multiply_restartable_call __real_mbedtls_ecp_mul_restartable __attribute__((weak));
multiply_call __wrap_mbedtls_ecp_mul;
multiply_restartable_call __wrap_mbedtls_ecp_mul_restartable;

enum {
    NUMBER_BYTES = GMP_NUMBER_BYTES,
    POINT_BYTES = 1 + 2 * NUMBER_BYTES, /* uncompressed, SEC 1 2.3.3 */
};

static bool is_used;
static _Thread_local uint64_t count;

/* ---- X25519, RFC 7748 ---- */

static int multiply_25519(mbedtls_ecp_group *group, mbedtls_ecp_point *product, const mbedtls_mpi *scalar,
                          const mbedtls_ecp_point *point)
{
    static const uint8_t nine[NUMBER_BYTES] = {9}, zero[NUMBER_BYTES];
    uint8_t n[NUMBER_BYTES], u[NUMBER_BYTES], r[NUMBER_BYTES];
    size_t u_count;
    int error = mbedtls_mpi_write_binary_le(scalar, n, sizeof n);
    if (error == 0)
        error = mbedtls_ecp_point_write_binary(group, point, MBEDTLS_ECP_PF_UNCOMPRESSED, &u_count, u, sizeof u);
    if (error == 0 && memcmp(u, nine, sizeof u) == 0) {
        curve25519_mul_g(r, n);
    } else if (error == 0) {
        curve25519_mul(r, n, u);
    }
    /* RFC 7748 6.1: of a point of small order; mbedTLS has refused those. */
    if (error == 0 && memcmp(r, zero, sizeof r) == 0) error = MBEDTLS_ERR_ECP_INVALID_KEY;
    if (error == 0) error = mbedtls_ecp_point_read_binary(group, product, r, sizeof r);
    mbedtls_platform_zeroize(n, sizeof n);
    mbedtls_platform_zeroize(r, sizeof r);
    return error;
}

/* ---- P-256 ---- */

/* `point` NULL: the generator. In and out as SEC 1 has them. False: a number is out of range. */
static bool multiply_bytes(uint8_t product_r[POINT_BYTES], const uint8_t scalar[NUMBER_BYTES],
                           const uint8_t point[POINT_BYTES])
{
    const struct ecc_curve *curve = nettle_get_secp_256r1();
    struct ecc_scalar n;
    struct ecc_point p, r;
    mpz_t number, x, y;
    ecc_scalar_init(&n, curve);
    ecc_point_init(&p, curve);
    ecc_point_init(&r, curve);
    gmp_number_import(number, scalar);
    bool is_good = ecc_scalar_set(&n, number) != 0;
    if (point == NULL) {
        mpz_inits(x, y, NULL);
        if (is_good) ecc_point_mul_g(&r, &n);
    } else {
        gmp_number_import(x, point + 1);
        gmp_number_import(y, point + 1 + NUMBER_BYTES);
        is_good = is_good && ecc_point_set(&p, x, y) != 0;
        if (is_good) ecc_point_mul(&r, &n, &p);
    }
    if (is_good) {
        ecc_point_get(&r, x, y);
        product_r[0] = 4;
        gmp_number_export(x, product_r + 1);
        gmp_number_export(y, product_r + 1 + NUMBER_BYTES);
    }
    mpz_clears(number, x, y, NULL);
    ecc_point_clear(&r);
    ecc_point_clear(&p);
    ecc_scalar_clear(&n);
    return is_good;
}

static int multiply_256(mbedtls_ecp_group *group, mbedtls_ecp_point *product, const mbedtls_mpi *scalar,
                        const mbedtls_ecp_point *point)
{
    uint8_t n[NUMBER_BYTES], p[POINT_BYTES], r[POINT_BYTES];
    size_t p_count = 0;
    bool is_generator = mbedtls_ecp_point_cmp(point, &group->G) == 0;
    int error = mbedtls_mpi_write_binary(scalar, n, sizeof n);
    if (error == 0 && !is_generator)
        error = mbedtls_ecp_point_write_binary(group, point, MBEDTLS_ECP_PF_UNCOMPRESSED, &p_count, p, sizeof p);
    if (error == 0 && !multiply_bytes(r, n, is_generator ? NULL : p)) error = MBEDTLS_ERR_ECP_INVALID_KEY;
    if (error == 0) error = mbedtls_ecp_point_read_binary(group, product, r, sizeof r);
    mbedtls_platform_zeroize(n, sizeof n);
    mbedtls_platform_zeroize(r, sizeof r);
    return error;
}

/* ---- in mbedTLS' place ---- */

static bool is_ours(const mbedtls_ecp_group *group)
{
    return is_used && (group->id == MBEDTLS_ECP_DP_CURVE25519 || group->id == MBEDTLS_ECP_DP_SECP256R1);
}

/* As mbedTLS has it: what is no scalar or no point of the curve is refused. */
static int multiply(mbedtls_ecp_group *group, mbedtls_ecp_point *product, const mbedtls_mpi *scalar,
                    const mbedtls_ecp_point *point)
{
    struct gmp_memory memory;
    int error = mbedtls_ecp_check_privkey(group, scalar);
    if (error == 0) error = mbedtls_ecp_check_pubkey(group, point);
    if (error != 0) return error;
    count++;
    memory.used = 0;
    gmp_memory_enter(&memory);
    error = group->id == MBEDTLS_ECP_DP_CURVE25519 ? multiply_25519(group, product, scalar, point)
                                                   : multiply_256(group, product, scalar, point);
    gmp_memory_leave(&memory);
    return error;
}

static int multiply_by_mbedtls(mbedtls_ecp_group *group, mbedtls_ecp_point *product, const mbedtls_mpi *scalar,
                               const mbedtls_ecp_point *point, rng_call *rng, void *rng_state,
                               mbedtls_ecp_restart_ctx *restart)
{
    static multiply_restartable_call *original; /* the same whoever finds it */
    multiply_restartable_call *call = __atomic_load_n(&original, __ATOMIC_RELAXED);
    if (call == NULL) {
        call = __real_mbedtls_ecp_mul_restartable;
        if (call == NULL) call = (multiply_restartable_call *)dlsym(RTLD_NEXT, "mbedtls_ecp_mul_restartable");
        __atomic_store_n(&original, call, __ATOMIC_RELAXED);
    }
    return call(group, product, scalar, point, rng, rng_state, restart);
}

int __wrap_mbedtls_ecp_mul_restartable(mbedtls_ecp_group *group, mbedtls_ecp_point *product,
                                       const mbedtls_mpi *scalar, const mbedtls_ecp_point *point, rng_call *rng,
                                       void *rng_state, mbedtls_ecp_restart_ctx *restart)
{
    if (is_ours(group)) return multiply(group, product, scalar, point);
    return multiply_by_mbedtls(group, product, scalar, point, rng, rng_state, restart);
}

int __wrap_mbedtls_ecp_mul(mbedtls_ecp_group *group, mbedtls_ecp_point *product, const mbedtls_mpi *scalar,
                           const mbedtls_ecp_point *point, rng_call *rng, void *rng_state)
{
    return __wrap_mbedtls_ecp_mul_restartable(group, product, scalar, point, rng, rng_state, NULL);
}

/* Weak: a static library's own go before these. */
int mbedtls_ecp_mul(mbedtls_ecp_group *group, mbedtls_ecp_point *product, const mbedtls_mpi *scalar,
                    const mbedtls_ecp_point *point, rng_call *rng, void *rng_state)
    __attribute__((weak, alias("__wrap_mbedtls_ecp_mul")));
int mbedtls_ecp_mul_restartable(mbedtls_ecp_group *group, mbedtls_ecp_point *product, const mbedtls_mpi *scalar,
                                const mbedtls_ecp_point *point, rng_call *rng, void *rng_state,
                                mbedtls_ecp_restart_ctx *restart)
    __attribute__((weak, alias("__wrap_mbedtls_ecp_mul_restartable")));

/* ---- the check ---- */

#define BOB "6be088ff278b2f1cfdb6182629b13b6fe60e80838b7fe1794b8a4a627e08ab58"
#define R   "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53"

/* RFC 7748 6.1, Bob's key (clamped) with 9 and with Alice's; RFC 5903 8.1, r with the generator and with g^i. In
 * hexadecimal. */
static const struct answer {
    mbedtls_ecp_group_id group;
    const char *scalar;
    const char *x, *y;
    const char *product; /* its x */
} answers[] = {
    {MBEDTLS_ECP_DP_CURVE25519, BOB, "9", "0", "4f2b886f147efcad4d67785bc843833f3735e4ecc2615bd3b4c17d7b7ddb9ede"},
    {MBEDTLS_ECP_DP_CURVE25519, BOB, "6a4e9baa8ea9a4ebf41a38260d3abf0d5af73eb4dc7d8b7454a7308909f02085", "0",
     "4217161e3c9bf076339ed147c9217ee0250f3580f43b8e72e12dcea45b9d5d4a"},
    {MBEDTLS_ECP_DP_SECP256R1, R, "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
     "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
     "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"},
    {MBEDTLS_ECP_DP_SECP256R1, R, "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180",
     "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
     "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"},
};

/* Asked of mbedTLS in a call from elsewhere in it: does it come through here? */
static bool is_right(const struct answer *answer)
{
    mbedtls_ecp_group group;
    mbedtls_ecp_point point;
    mbedtls_mpi scalar, product, expected;
    uint64_t before = count;
    mbedtls_ecp_group_init(&group);
    mbedtls_ecp_point_init(&point);
    mbedtls_mpi_init(&scalar);
    mbedtls_mpi_init(&product);
    mbedtls_mpi_init(&expected);
    int error = mbedtls_ecp_group_load(&group, answer->group);
    if (error == 0) error = mbedtls_mpi_read_string(&scalar, 16, answer->scalar);
    if (error == 0) error = mbedtls_ecp_point_read_string(&point, 16, answer->x, answer->y);
    if (error == 0) error = mbedtls_mpi_read_string(&expected, 16, answer->product);
    if (error == 0)
        error = mbedtls_ecdh_compute_shared(&group, &product, &point, &scalar, mbedtls_psa_get_random,
                                            MBEDTLS_PSA_RANDOM_STATE);
    bool is_good = error == 0 && count == before + 1 && mbedtls_mpi_cmp_mpi(&product, &expected) == 0;
    mbedtls_mpi_free(&expected);
    mbedtls_mpi_free(&product);
    mbedtls_mpi_free(&scalar);
    mbedtls_ecp_point_free(&point);
    mbedtls_ecp_group_free(&group);
    return is_good;
}

bool tls_curve_begin(void)
{
    gmp_memory_begin();
    is_used = true;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0] && is_used; i++) {
        is_used = is_right(&answers[i]);
    }
    return is_used;
}

void tls_curve_end(void)
{
    is_used = false;
}

bool tls_curve_is_used(void)
{
    return is_used;
}

uint64_t tls_curve_count(void)
{
    return count;
}
