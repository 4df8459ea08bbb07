/* net/tls/tls_hide.c - where mbedTLS keeps keys.
 *
 * It allocates with calloc(), and the packaged one cannot be told otherwise: so the pages that its numbers stand on are
 * hidden where they are. Its members are private, and used here, for there is no other way. */
#include "net/tls/tls_hide.h"

#include "core/secret.h"

#include <malloc.h>
#include <mbedtls/cipher.h>
#include <mbedtls/gcm.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/rsa.h>

static void hide_number(const mbedtls_mpi *number)
{
    secret_hide(number->MBEDTLS_PRIVATE(p), number->MBEDTLS_PRIVATE(n) * sizeof(mbedtls_mpi_uint));
}

/* R^2 mod P, which mbedTLS keeps, leads to P: gcd(R^2 - it, N). */
static int hide_rsa(mbedtls_rsa_context *rsa)
{
    static const unsigned char zero[MBEDTLS_MPI_MAX_SIZE];
    unsigned char power[MBEDTLS_MPI_MAX_SIZE];
    int error = mbedtls_rsa_private(rsa, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE, zero, power);
    const mbedtls_mpi *numbers[] = {
        &rsa->MBEDTLS_PRIVATE(D),  &rsa->MBEDTLS_PRIVATE(P),  &rsa->MBEDTLS_PRIVATE(Q),  &rsa->MBEDTLS_PRIVATE(DP),
        &rsa->MBEDTLS_PRIVATE(DQ), &rsa->MBEDTLS_PRIVATE(QP), &rsa->MBEDTLS_PRIVATE(RP), &rsa->MBEDTLS_PRIVATE(RQ),
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        hide_number(numbers[i]);
    }
    return error;
}

int tls_hide_key(mbedtls_pk_context *key)
{
    if (mbedtls_pk_get_type(key) == MBEDTLS_PK_RSA) return hide_rsa(mbedtls_pk_rsa(*key));
    hide_number(&mbedtls_pk_ec(*key)->MBEDTLS_PRIVATE(d));
    return 0;
}

static void hide_block(void *memory)
{
    secret_hide(memory, malloc_usable_size(memory));
}

/* A cipher of AES-GCM, in it one of AES. */
void tls_hide_ticket_key(const mbedtls_ssl_ticket_context *tickets)
{
    for (size_t i = 0; i < 2; i++) {
        const mbedtls_cipher_context_t *cipher = &tickets->MBEDTLS_PRIVATE(keys)[i].MBEDTLS_PRIVATE(ctx);
        mbedtls_gcm_context *gcm = cipher->MBEDTLS_PRIVATE(cipher_ctx);
        if (gcm == NULL) continue;
        hide_block(gcm);
        hide_block(gcm->MBEDTLS_PRIVATE(cipher_ctx).MBEDTLS_PRIVATE(cipher_ctx));
    }
}
