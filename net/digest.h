/* net/digest.h - digests and signatures, over mbedTLS, in hex: HMAC-SHA-256 and MD5 of the Pusher protocol, and the
 * SHA-1 by which Redis names scripts.
 *
 * Hex is lower case and ends with a zero. Any thread; no state. RC_ENOMEM: mbedTLS found no memory, and nothing is
 * written. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    DIGEST_HMAC_HEX_BYTES = 64,
    DIGEST_MD5_HEX_BYTES = 32,
    DIGEST_SHA1_HEX_BYTES = 40,
};

/* The HMAC-SHA-256 (RFC 2104) of the pieces one after the other. */
enum rc digest_hmac_hex(struct text key, const struct text pieces[], size_t pieces_count,
                        char hex_r[DIGEST_HMAC_HEX_BYTES + 1]);

/* The MD5 (RFC 1321) of a request's body: an identification, no protection. */
enum rc digest_md5_hex(struct text text, char hex_r[DIGEST_MD5_HEX_BYTES + 1]);

/* The SHA-1 (RFC 3174): a name, no protection. */
enum rc digest_sha1_hex(struct text text, char hex_r[DIGEST_SHA1_HEX_BYTES + 1]);

/* Equal? Takes the same time wherever the two differ; their lengths are no secret. */
bool digest_equals(struct text given, struct text expected);
