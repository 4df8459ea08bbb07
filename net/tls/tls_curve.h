/* net/tls/tls_curve.h - multiplication on X25519 and P-256 by nettle's hogweed, in place of mbedTLS', which takes three
 * to fifteen times as long: it is most of what a handshake costs.
 *
 * mbedtls_ecp_mul() is defined here too: R = m * P, which keys, shared secrets and the inside of mbedTLS' signatures
 * all come through. In a program the dynamic linker prefers it to the one in mbedTLS' shared library; with static
 * libraries that takes the linker's --wrap (wrap_static_mbedtls() in CMakeLists.txt), else all is as if this were not
 * here. What is not for these two curves goes on to mbedTLS. Scalars are secrets: hogweed takes the same time and
 * touches the same memory whatever they are, and what it has used is wiped when it is done. What comes here are keys
 * of one handshake, and a certificate's key on P-256 once, when it is read and compared with the certificate.
 *
 * This holds as long as mbedTLS 3.6 (to March 2027): 4 has no such call. What replaces it then is a driver of PSA's.
 * Threads: tls_curve_begin() in the main thread, before there are others; the rest in any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Has mbedTLS compute what is known (RFC 7748 6.1, RFC 5903 8.1), and uses hogweed from then on if that came through
 * here and is right. False: it did not, or is not, or there is no memory; then mbedTLS multiplies. */
bool tls_curve_begin(void);
bool tls_curve_is_used(void);
/* Uses mbedTLS again; for tests. */
void tls_curve_end(void);
/* How many multiplications of this thread hogweed has done. */
uint64_t tls_curve_count(void);
