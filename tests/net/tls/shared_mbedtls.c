/* tests/net/tls/shared_mbedtls.c - what nettle computes in the place of mbedTLS' shared library: signatures bit for bit
 * as mbedTLS makes them, digests of every length, the same refusals; and checks at the start that notice when nettle
 * gets it wrong.
 *
 * A program of its own: in unit tests mbedTLS is static. Some calls of nettle are defined here too, so that they can be
 * made to get it wrong. */
#include "core/secret.h"
#include "net/tls/tls.h"
#include "net/tls/tls_curve.h"
#include "net/tls/tls_hash.h"
#include "net/tls/tls_sign.h"

#include <dlfcn.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <nettle/curve25519.h>
#include <nettle/ecdsa.h>
#include <nettle/sha2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RNG mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE

enum { DIGESTS_MAX = 300, SIGNATURES = 100 };

static int failures;

static void expect(int is_true, const char *what, size_t figure)
{
    if (is_true) return;
    fprintf(stderr, "shared_mbedtls: %s: %zu\n", what, figure);
    failures++;
}

/* ---- nettle, which may get it wrong ---- */

static bool is_wrong;

void curve25519_mul(uint8_t *product, const uint8_t *scalar, const uint8_t *point)
{
    void (*original)(uint8_t *, const uint8_t *, const uint8_t *) = dlsym(RTLD_NEXT, "nettle_curve25519_mul");
    original(product, scalar, point);
    product[0] ^= is_wrong;
}

void sha256_update(struct sha256_ctx *context, size_t count, const uint8_t *bytes)
{
    void (*original)(struct sha256_ctx *, size_t, const uint8_t *) = dlsym(RTLD_NEXT, "nettle_sha256_update");
    original(context, count, bytes);
    context->state[0] ^= is_wrong;
}

void ecdsa_sign(const struct ecc_scalar *key, void *state, nettle_random_func *random, size_t count,
                const uint8_t *digest, struct dsa_signature *signature)
{
    void (*original)(const struct ecc_scalar *, void *, nettle_random_func *, size_t, const uint8_t *,
                     struct dsa_signature *) = dlsym(RTLD_NEXT, "nettle_ecdsa_sign");
    original(key, state, random, count, digest, signature);
    if (is_wrong) mpz_add_ui(signature->s, signature->s, 1);
}

static void checks_notice_what_is_wrong(void)
{
    is_wrong = true;
    expect(!tls_hash_begin() && !tls_hash_is_used(), "a wrong digest", 0);
    expect(!tls_curve_begin() && !tls_curve_is_used(), "a wrong product", 0);
    expect(!tls_sign_begin() && !tls_sign_is_used(), "a wrong signature", 0);
    is_wrong = false;
    expect(strstr(tls_libraries(), "X25519 and P-256 by mbedTLS, ECDSA on P-256 by mbedTLS, SHA-256 by mbedTLS") !=
               NULL,
           tls_libraries(), 0);
    expect(tls_hash_begin() && tls_hash_is_used(), "a right digest", 0);
    expect(tls_curve_begin() && tls_curve_is_used(), "a right product", 0);
    expect(tls_sign_begin() && tls_sign_is_used(), "a right signature", 0);
    expect(strstr(tls_libraries(), "X25519 and P-256 by nettle, ECDSA on P-256 by nettle, SHA-256 by nettle") != NULL,
           tls_libraries(), 0);
}

/* ---- digests ---- */

static void digests_are_the_same(void)
{
    uint8_t bytes[DIGESTS_MAX], ours[32], theirs[32];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 31 >> 2);
    for (int is_224 = 0; is_224 <= 1; is_224++) {
        for (size_t count = 0; count <= sizeof bytes; count++) {
            mbedtls_sha256_context context;
            mbedtls_sha256_init(&context);
            tls_hash_begin();
            mbedtls_sha256_starts(&context, is_224);
            mbedtls_sha256_update(&context, bytes, count / 3); /* in pieces */
            mbedtls_sha256_update(&context, bytes + count / 3, count - count / 3);
            mbedtls_sha256_finish(&context, ours);
            mbedtls_sha256_free(&context);
            tls_hash_end();
            mbedtls_sha256(bytes, count, theirs, is_224);
            expect(memcmp(ours, theirs, is_224 ? 28 : 32) == 0, "digest", count);
        }
    }
    tls_hash_begin();
}

/* ---- signatures ---- */

struct numbers {
    mbedtls_ecp_group group;
    mbedtls_mpi key, r[2], s[2]; /* by nettle, by mbedTLS */
};

static void open_numbers(struct numbers *n, mbedtls_ecp_group_id group)
{
    mbedtls_ecp_group_init(&n->group);
    mbedtls_mpi_init(&n->key);
    for (size_t i = 0; i < 2; i++) {
        mbedtls_mpi_init(&n->r[i]);
        mbedtls_mpi_init(&n->s[i]);
    }
    if (mbedtls_ecp_group_load(&n->group, group) != 0) abort();
}

static void close_numbers(struct numbers *n)
{
    for (size_t i = 0; i < 2; i++) {
        mbedtls_mpi_free(&n->s[i]);
        mbedtls_mpi_free(&n->r[i]);
    }
    mbedtls_mpi_free(&n->key);
    mbedtls_ecp_group_free(&n->group);
}

/* Deterministic, by both: the same error, or the same signature. Which error? */
static int sign_twice(struct numbers *n, const uint8_t *digest, size_t count)
{
    int error[2];
    for (size_t i = 0; i < 2; i++) {
        uint64_t before = tls_sign_count();
        if (i == 0) tls_sign_begin();
        if (i == 1) tls_sign_end();
        uint64_t begun = tls_sign_count();
        error[i] =
            mbedtls_ecdsa_sign_det_ext(&n->group, &n->r[i], &n->s[i], &n->key, digest, count, MBEDTLS_MD_SHA256, RNG);
        bool is_ours = i == 0 && n->group.id == MBEDTLS_ECP_DP_SECP256R1 && error[i] == 0;
        expect(tls_sign_count() == begun + is_ours, "who signs", i);
        expect(i == 1 || begun == before + 1, "the check", 0);
    }
    expect(error[0] == error[1], "the same error", (size_t)-error[0]);
    if (error[0] != 0) return error[0];
    expect(mbedtls_mpi_cmp_mpi(&n->r[0], &n->r[1]) == 0, "r", count);
    expect(mbedtls_mpi_cmp_mpi(&n->s[0], &n->s[1]) == 0, "s", count);
    return 0;
}

static void signatures_are_the_same(void)
{
    struct numbers n;
    uint8_t digest[64];
    open_numbers(&n, MBEDTLS_ECP_DP_SECP256R1);
    for (size_t i = 0; i < SIGNATURES; i++) {
        if (mbedtls_psa_get_random(MBEDTLS_PSA_RANDOM_STATE, digest, sizeof digest) != 0) abort();
        if (mbedtls_ecp_gen_privkey(&n.group, &n.key, RNG) != 0) abort();
        expect(sign_twice(&n, digest, 20 + i % 45) == 0, "signs", i); /* SHA-1 to SHA-512 */
    }
    memset(digest, 0xff, sizeof digest);
    sign_twice(&n, digest, 32);
    memset(digest, 0, sizeof digest);
    sign_twice(&n, digest, 32);
    for (int more = -2; more <= 2; more++) {
        mbedtls_mpi_lset(&n.key, more);
        expect((sign_twice(&n, digest, 32) == 0) == (more > 0), "small keys", (size_t)(more + 2));
        mbedtls_mpi_add_int(&n.key, &n.group.N, more);
        expect((sign_twice(&n, digest, 32) == 0) == (more < 0), "large keys", (size_t)(more + 2));
    }
    mbedtls_mpi_set_bit(&n.key, 300, 1);
    expect(sign_twice(&n, digest, 32) != 0, "a key of 300 bits", 0);
    close_numbers(&n);

    open_numbers(&n, MBEDTLS_ECP_DP_SECP384R1); /* stays mbedTLS' */
    if (mbedtls_ecp_gen_privkey(&n.group, &n.key, RNG) != 0) abort();
    expect(sign_twice(&n, digest, 48) == 0, "P-384", 0);
    close_numbers(&n);
}

static int draw_nothing(void *state, unsigned char *to, size_t count)
{
    (void)state, (void)to, (void)count;
    return MBEDTLS_ERR_ECP_RANDOM_FAILED;
}

static void without_chance_there_is_no_signature(void)
{
    struct numbers n;
    static const uint8_t digest[32] = "some digest";
    open_numbers(&n, MBEDTLS_ECP_DP_SECP256R1);
    if (mbedtls_ecp_gen_privkey(&n.group, &n.key, RNG) != 0) abort();
    tls_sign_begin();
    int error = mbedtls_ecdsa_sign(&n.group, &n.r[0], &n.s[0], &n.key, digest, sizeof digest, draw_nothing, NULL);
    expect(error == MBEDTLS_ERR_ECP_RANDOM_FAILED, "no chance", (size_t)-error);
    expect(mbedtls_mpi_cmp_int(&n.r[0], 0) == 0 && mbedtls_mpi_cmp_int(&n.s[0], 0) == 0, "nothing is shown", 0);
    close_numbers(&n);
}

/* ---- what is left on the stack ---- */

static uint8_t stack[1 << 20];
static const uint8_t secret[32] = "\x40 a secret that nobody reads, \x40"; /* a good scalar for both curves */

static int draw_secret(void *state, unsigned char *to, size_t count)
{
    (void)state;
    memcpy(to, secret, count < sizeof secret ? count : sizeof secret);
    return 0;
}

/* As a handshake signs; mbedTLS' own frame has the key, and whoever runs the handshake wipes that. */
static int sign_as_handshakes_do(struct numbers *n, const uint8_t digest[32])
{
    int error =
        mbedtls_ecdsa_sign_det_ext(&n->group, &n->r[0], &n->s[0], &n->key, digest, 32, MBEDTLS_MD_SHA256, RNG);
    secret_wipe_stack();
    return error;
}

/* As a key of a handshake on both curves, as a nonce of a signature and as its key. */
static void *use_secret(void *unused)
{
    static const mbedtls_ecp_group_id groups[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1};
    static const uint8_t digest[32] = "some digest";
    for (size_t i = 0; i < 2; i++) {
        struct numbers n;
        mbedtls_ecp_point product;
        mbedtls_ecp_point_init(&product);
        open_numbers(&n, groups[i]);
        mbedtls_mpi_read_binary(&n.key, secret, sizeof secret);
        uint64_t before = tls_curve_count();
        int error = mbedtls_ecp_mul(&n.group, &product, &n.key, &n.group.G, RNG);
        if (error == 0) error = mbedtls_ecp_mul(&n.group, &product, &n.key, &product, RNG);
        expect(error == 0 && tls_curve_count() == before + 2, "multiplies", (size_t)-error);
        if (i == 1)
            error = mbedtls_ecdsa_sign(&n.group, &n.r[0], &n.s[0], &n.key, digest, sizeof digest, draw_secret, NULL);
        if (i == 1 && error == 0) error = sign_as_handshakes_do(&n, digest);
        expect(error == 0, "signs", (size_t)-error);
        mbedtls_ecp_point_free(&product);
        close_numbers(&n);
    }
    return unused;
}

/* What frames are poisoned does not matter here. */
__attribute__((no_sanitize("address"))) static bool is_at(const uint8_t *at, bool is_reversed)
{
    for (size_t i = 0; i < sizeof secret; i++) {
        if (at[i] != secret[is_reversed ? sizeof secret - 1 - i : i]) return false;
    }
    return true;
}

static void no_secret_is_left_on_the_stack(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    tls_curve_begin();
    tls_sign_begin();
    if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstack(&attributes, stack, sizeof stack) != 0) abort();
    if (pthread_create(&thread, &attributes, use_secret, NULL) != 0 || pthread_join(thread, NULL) != 0) abort();
    pthread_attr_destroy(&attributes);
    for (size_t i = 0; i + sizeof secret <= sizeof stack; i++)
        expect(!is_at(stack + i, false) && !is_at(stack + i, true), "a secret on the stack", sizeof stack - i);
}

int main(void)
{
    if (tls_global_init() != RC_OK) abort();
    checks_notice_what_is_wrong();
    digests_are_the_same();
    signatures_are_the_same();
    without_chance_there_is_no_signature();
    no_secret_is_left_on_the_stack();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
