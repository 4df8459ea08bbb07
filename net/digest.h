/* net/digest.h - the digests and signatures of the Pusher protocol, over mbedTLS: HMAC-SHA-256 and MD5, in hex.
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
};

/* The HMAC-SHA-256 (RFC 2104) of the pieces one after the other. */
enum rc digest_hmac_hex(struct text key, const struct text pieces[], size_t pieces_count,
                        char hex_r[DIGEST_HMAC_HEX_BYTES + 1]);

/* The MD5 (RFC 1321) of a request's body: an identification, no protection. */
enum rc digest_md5_hex(struct text text, char hex_r[DIGEST_MD5_HEX_BYTES + 1]);

/* Equal? Takes the same time wherever the two differ; their lengths are no secret. */
bool digest_equals(struct text given, struct text expected);
