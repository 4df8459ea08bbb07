/* net/utf8.h - is this UTF-8? Asked piece by piece, answered at the first byte that spoils it.
 *
 * RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF. A text may be cut anywhere, also inside a
 * character; the state between two pieces is three bytes. A zeroed struct is the start of a text. No allocation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct utf8 {
    uint8_t left; /* continuation bytes that the character begun still needs */
    uint8_t low;  /* bounds of the next one; they mean nothing while left is 0 */
    uint8_t high;
};

/* Takes the next piece. False: a byte of it cannot stand where it stands; the text is spoilt and the state too. */
bool utf8_check(struct utf8 *utf8, const uint8_t *piece, size_t count);

/* Is the text so far whole, not cut inside a character? Ask at its end. */
static inline bool utf8_is_complete(const struct utf8 *utf8)
{
    return utf8->left == 0;
}
