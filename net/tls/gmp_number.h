/* net/tls/gmp_number.h - numbers of 256 bits, big endian, to GMP and back. For the files of net/tls alone. */
#pragma once

#include <gmp.h>
#include <stdint.h>

enum { GMP_NUMBER_BYTES = 32 };

/* Makes it; mpz_clear() is the caller's. */
void gmp_number_import(mpz_t number, const uint8_t bytes[GMP_NUMBER_BYTES]);
/* Below 2^256. */
void gmp_number_export(const mpz_t number, uint8_t bytes_r[GMP_NUMBER_BYTES]);
