/* net/tls/tls_sign.h - ECDSA on P-256 by nettle's hogweed, in place of mbedTLS', which takes three times as long, most
 * of it for two modular inverses.
 *
 * mbedtls_ecdsa_sign_restartable() is defined here too, which all signatures come through; as mbedtls_ecp_mul() in
 * net/tls/tls_curve.h, but that no --wrap helps where mbedTLS is static: its callers stand in the same object, so there
 * mbedTLS signs. The nonce is drawn from the generator that mbedTLS hands over, that of RFC 6979, so the signature is
 * bit for bit the one that mbedTLS makes. The certificate's key comes here, for the duration of a signature; hogweed
 * takes the same time and touches the same memory whatever it is (GnuTLS signs with it), and what it has used is wiped.
 *
 * Threads: tls_sign_begin() in the main thread, before there are others; the rest in any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Has mbedTLS sign what is known (RFC 6979 A.2.5), and uses hogweed from then on if that came through here and is
 * right. False: it did not, or is not, or there is no memory; then mbedTLS signs. */
bool tls_sign_begin(void);
bool tls_sign_is_used(void);
/* Uses mbedTLS again; for tests. */
void tls_sign_end(void);
/* How many signatures of this thread hogweed has made. */
uint64_t tls_sign_count(void);
