/* net/tls/tls_hash.h - SHA-256 by nettle, which uses the processor's instructions for it, in place of mbedTLS', which
 * does not: a handshake of TLS 1.3 is a quarter SHA-256, a resumed one more.
 *
 * mbedtls_internal_sha256_process(), which digests one block of 64 bytes, is defined here too; as mbedtls_ecp_mul() in
 * net/tls/tls_curve.h, but that no --wrap helps where mbedTLS is static: its callers stand in the same object.
 *
 * Threads: tls_hash_begin() in the main thread, before there are others; the rest in any. */
#pragma once

#include <stdbool.h>

/* Has mbedTLS digest what is known (FIPS 180-4), and uses nettle from then on if that came through here and is right.
 * False: it did not, or is not; then mbedTLS does it. */
bool tls_hash_begin(void);
bool tls_hash_is_used(void);
/* Uses mbedTLS again; for tests. */
void tls_hash_end(void);
