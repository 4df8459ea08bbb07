/* tests/net/tls/test_tls_curve.c - multiplication by nettle in mbedTLS' place: RFC 7748's answers and others, the same
 * product as mbedTLS' on random numbers and on those at the edges, the same refusals; and a check at the start that
 * notices when it is not so. The program is linked with --wrap, for mbedTLS is static in it. */
#include "net/tls/tls_curve.h"

#include "net/tls/tls.h"

#include <criterion/criterion.h>
#include <mbedtls/ecp.h>
#include <mbedtls/psa_util.h>
#include <string.h>

#define RNG mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE

static const mbedtls_ecp_group_id curves[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1};

struct numbers {
    mbedtls_ecp_group group;
    mbedtls_mpi scalar;
    mbedtls_ecp_point point, ours, theirs;
};

static void open_numbers(struct numbers *n, mbedtls_ecp_group_id id)
{
    mbedtls_ecp_group_init(&n->group);
    mbedtls_mpi_init(&n->scalar);
    mbedtls_ecp_point_init(&n->point);
    mbedtls_ecp_point_init(&n->ours);
    mbedtls_ecp_point_init(&n->theirs);
    cr_assert_eq(mbedtls_ecp_group_load(&n->group, id), 0);
}

static void close_numbers(struct numbers *n)
{
    mbedtls_ecp_point_free(&n->theirs);
    mbedtls_ecp_point_free(&n->ours);
    mbedtls_ecp_point_free(&n->point);
    mbedtls_mpi_free(&n->scalar);
    mbedtls_ecp_group_free(&n->group);
}

static int multiply(struct numbers *n, mbedtls_ecp_point *product)
{
    return mbedtls_ecp_mul(&n->group, product, &n->scalar, &n->point, RNG);
}

static void begin(void)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    cr_assert(tls_curve_begin());
}

/* By nettle and by mbedTLS: the same error or the same product. Which error? */
static int expect_same(struct numbers *n)
{
    uint64_t before = tls_curve_count();
    int ours = multiply(n, &n->ours);
    cr_expect_eq(tls_curve_count(), before + (ours == 0 ? 1 : tls_curve_count() - before));
    tls_curve_end();
    before = tls_curve_count();
    int theirs = multiply(n, &n->theirs);
    cr_expect_eq(tls_curve_count(), before, "by mbedTLS");
    cr_assert(tls_curve_begin());
    cr_expect_eq(ours, theirs, "-0x%x, -0x%x", (unsigned)-ours, (unsigned)-theirs);
    if (ours == 0) cr_expect_eq(mbedtls_ecp_point_cmp(&n->ours, &n->theirs), 0);
    return ours;
}

Test(tls_curve, nettle_takes_over_and_gives_back, .timeout = 10)
{
    cr_assert_eq(tls_global_init(), RC_OK);
    cr_expect(!tls_curve_is_used());
    begin();
    cr_expect(tls_curve_is_used());
    cr_expect_eq(tls_curve_count(), 4, "what is known, through mbedTLS' call");
    struct numbers n;
    open_numbers(&n, MBEDTLS_ECP_DP_SECP256R1);
    mbedtls_ecp_keypair pair;
    mbedtls_ecp_keypair_init(&pair);
    cr_expect_eq(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP384R1, &pair, RNG), 0, "other curves stay mbedTLS'");
    cr_expect_eq(tls_curve_count(), 4);
    mbedtls_ecp_keypair_free(&pair);
    tls_curve_end();
    cr_expect(!tls_curve_is_used());
    close_numbers(&n);
}

/* A key of each kind with another's public one, both ways. */
Test(tls_curve, random_keys_multiply_as_by_mbedtls, .timeout = 120)
{
    begin();
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        struct numbers n;
        open_numbers(&n, curves[i]);
        for (int round = 0; round < 60; round++) {
            mbedtls_ecp_copy(&n.point, &n.group.G);
            cr_assert_eq(mbedtls_ecp_gen_privkey(&n.group, &n.scalar, RNG), 0);
            cr_assert_eq(expect_same(&n), 0);
            mbedtls_ecp_copy(&n.point, &n.ours);
            cr_assert_eq(mbedtls_ecp_gen_privkey(&n.group, &n.scalar, RNG), 0);
            cr_assert_eq(expect_same(&n), 0);
        }
        close_numbers(&n);
    }
}

/* RFC 7748 5.2, the iterated vector: k becomes the product, u the k before. */
Test(tls_curve, a_thousand_rounds_of_rfc_7748, .timeout = 120)
{
    static const uint8_t after_1[] = {0x42, 0x2c, 0x8e, 0x7a, 0x62, 0x27, 0xd7, 0xbc, 0xa1, 0x35, 0x0b,
                                      0x3e, 0x2b, 0xb7, 0x27, 0x9f, 0x78, 0x97, 0xb8, 0x7b, 0xb6, 0x85,
                                      0x4b, 0x78, 0x3c, 0x60, 0xe8, 0x03, 0x11, 0xae, 0x30, 0x79};
    static const uint8_t after_1000[] = {0x68, 0x4c, 0xf5, 0x9b, 0xa8, 0x33, 0x09, 0x55, 0x28, 0x00, 0xef,
                                         0x56, 0x6f, 0x2f, 0x4d, 0x3c, 0x1c, 0x38, 0x87, 0xc4, 0x93, 0x60,
                                         0xe3, 0x87, 0x5f, 0x2e, 0xb9, 0x4d, 0x99, 0x53, 0x2c, 0x51};
    uint8_t k[32] = {9}, u[32] = {9}, product[32];
    size_t count;
    begin();
    struct numbers n;
    open_numbers(&n, MBEDTLS_ECP_DP_CURVE25519);
    for (int round = 1; round <= 1000; round++) {
        uint8_t scalar[32];
        memcpy(scalar, k, sizeof scalar);
        scalar[0] &= 248;
        scalar[31] = (scalar[31] & 127) | 64;
        mbedtls_mpi_read_binary_le(&n.scalar, scalar, sizeof scalar);
        cr_assert_eq(mbedtls_ecp_point_read_binary(&n.group, &n.point, u, sizeof u), 0);
        cr_assert_eq(multiply(&n, &n.ours), 0);
        cr_assert_eq(mbedtls_ecp_point_write_binary(&n.group, &n.ours, MBEDTLS_ECP_PF_UNCOMPRESSED, &count, product,
                                                    sizeof product),
                     0);
        memcpy(u, k, sizeof u);
        memcpy(k, product, sizeof k);
        if (round == 1) cr_expect_arr_eq(k, after_1, sizeof k);
    }
    cr_expect_arr_eq(k, after_1000, sizeof k);
    close_numbers(&n);
}

/* The smallest and largest scalars, and those just beyond. */
Test(tls_curve, scalars_at_the_edges, .timeout = 60)
{
    begin();
    struct numbers n;
    open_numbers(&n, MBEDTLS_ECP_DP_SECP256R1);
    for (int from_end = 0; from_end <= 1; from_end++) {
        for (int more = -3; more <= 3; more++) {
            mbedtls_ecp_copy(&n.point, &n.group.G);
            mbedtls_mpi_lset(&n.scalar, more);
            if (from_end) mbedtls_mpi_add_int(&n.scalar, &n.group.N, more);
            bool is_good = from_end ? more < 0 : more > 0;
            cr_expect_eq(expect_same(&n) == 0, is_good, "%d %d", from_end, more);
            if (!is_good) continue;
            mbedtls_ecp_copy(&n.point, &n.ours); /* and of another point */
            cr_expect_eq(expect_same(&n), 0);
        }
    }
    close_numbers(&n);
    open_numbers(&n, MBEDTLS_ECP_DP_CURVE25519);
    mbedtls_ecp_copy(&n.point, &n.group.G);
    for (int bit = 0; bit < 256; bit += 5) {
        mbedtls_mpi_lset(&n.scalar, 0);
        mbedtls_mpi_set_bit(&n.scalar, 254, 1);
        mbedtls_mpi_set_bit(&n.scalar, (size_t)bit, 1);
        cr_expect_eq(expect_same(&n) == 0, bit > 2 && bit < 255, "bit %d", bit);
    }
    close_numbers(&n);
}

/* Points of small order (RFC 7748 6.1), not of the curve, and numbers that stand for the same as a smaller one. */
Test(tls_curve, points_that_are_none_are_refused, .timeout = 60)
{
    static const char *const small[] = {
        "0",
        "1",
        "b8495f16056286fdb1329ceb8d09da6ac49ff1fae35616aeb8413b7c7aebe0",
        "57119fd0dd4e22d8868e1c58c45c44045bef839c55b1d0b1248c50a3bc959c5f",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffec",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
        "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffee",
    };
    begin();
    struct numbers n;
    open_numbers(&n, MBEDTLS_ECP_DP_CURVE25519);
    cr_assert_eq(mbedtls_ecp_gen_privkey(&n.group, &n.scalar, RNG), 0);
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++) {
        mbedtls_ecp_point_read_string(&n.point, 16, small[i], "0");
        cr_expect_neq(expect_same(&n), 0, "%s", small[i]);
    }
    /* p + 9 is 9 */
    mbedtls_ecp_point_read_string(&n.point, 16, "7ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff6",
                                  "0");
    cr_expect_eq(expect_same(&n), 0);
    close_numbers(&n);

    open_numbers(&n, MBEDTLS_ECP_DP_SECP256R1);
    cr_assert_eq(mbedtls_ecp_gen_privkey(&n.group, &n.scalar, RNG), 0);
    mbedtls_ecp_set_zero(&n.point);
    cr_expect_neq(expect_same(&n), 0, "infinity");
    mbedtls_ecp_point_read_string(&n.point, 16, "1", "1");
    cr_expect_neq(expect_same(&n), 0, "not on the curve");
    mbedtls_ecp_point_read_string(&n.point, 16, "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
                                  "0");
    cr_expect_neq(expect_same(&n), 0, "out of range");
    close_numbers(&n);
}
