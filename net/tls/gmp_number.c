/* net/tls/gmp_number.c - by GMP's own calls for it. */
#include "net/tls/gmp_number.h"

#include <assert.h>
#include <string.h>

void gmp_number_import(mpz_t number, const uint8_t bytes[GMP_NUMBER_BYTES])
{
    mpz_init2(number, GMP_NUMBER_BYTES * 8);
    mpz_import(number, GMP_NUMBER_BYTES, 1, 1, 1, 0, bytes);
}

void gmp_number_export(const mpz_t number, uint8_t bytes_r[GMP_NUMBER_BYTES])
{
    size_t bytes = (mpz_sizeinbase(number, 2) + 7) / 8;
    assert(bytes <= GMP_NUMBER_BYTES);
    memset(bytes_r, 0, GMP_NUMBER_BYTES);
    mpz_export(bytes_r + GMP_NUMBER_BYTES - bytes, NULL, 1, 1, 1, 0, number);
}
