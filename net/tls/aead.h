/* net/tls/aead.h - sealing and opening with AES-GCM (NIST SP 800-38D) and ChaCha20-Poly1305 (RFC 8439), by whichever of
 * the libraries at hand is the faster one on this processor: nettle or mbedTLS. No arithmetic here is ours.
 *
 * Threads:   aead_global_init() once, before; then each thread has a `struct aead` of its own.
 * Memory:    one `struct aead`, 6 KB that stand in no core dump, for all sessions of a thread: each call sets the key
 *            anew, which costs a tenth of a microsecond and spares every session a kilobyte. By nettle no call
 *            allocates; AES-GCM by mbedTLS does.
 * Bounds:    none of its own; a record of TLS has at most 16 KB.
 * Who calls never seals twice with the same key and nonce. */
#pragma once

#include "core/rc.h"
#include "net/tls/aead_kind.h"

#include <stddef.h>
#include <stdint.h>

struct aead;

/* Main thread. Checks every library against a known answer, measures those that pass, and settles on one for each
 * kind; takes some milliseconds, and nothing when called again. RC_ENOMEM, or RC_EKERNEL: no library gets it right. */
enum rc aead_global_init(void);
/* For logs: "nettle". After aead_global_init(). */
const char *aead_library(enum aead_kind kind);

/* NULL: out of memory. Free wipes what is left of keys, and accepts NULL. */
struct aead *aead_new(void);
void aead_free(struct aead *aead);

/* Seals `plain`, and behind it `end` (at most AEAD_END_BYTES_MAX, may be NULL with 0) as if it stood there, to
 * `sealed`, which has room for both and the tag. `sealed` and `plain` do not overlap. RC_ENOMEM: nothing may be sent.
 */
enum rc aead_seal(struct aead *aead, const struct aead_with *with, const uint8_t *plain, size_t count,
                  const uint8_t *end, size_t end_count, uint8_t *sealed);
/* Opens `count` bytes, of which the tag is the last AEAD_TAG_BYTES: what is without tag stands in `plain` then. They
 * do not overlap. RC_EPROTO: it is not what was sealed, and `plain` holds zeros. RC_ENOMEM. */
enum rc aead_open(struct aead *aead, const struct aead_with *with, const uint8_t *sealed, size_t count,
                  uint8_t *plain);
