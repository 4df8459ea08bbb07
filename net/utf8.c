/* net/utf8.c - incremental UTF-8 validity.
 *
 * A lead byte fixes how many continuation bytes follow and the bounds of the first of them; all other rules of
 * RFC 3629 lie in these bounds (E0: no overlong form, ED: no surrogate, F0: no overlong form, F4: not above
 * U+10FFFF). After the first continuation byte the bounds are those of any continuation byte. */
#include "net/utf8.h"

#include <string.h>

#define TOP_BITS UINT64_C(0x8080808080808080)

/* How many bytes at the front are ASCII, looking at eight at a time: none of the last few (0 to 7) is counted. */
static size_t ascii_count(const uint8_t *piece, size_t count)
{
    size_t at = 0;
    uint64_t eight;
    for (; count - at >= sizeof eight; at += sizeof eight) {
        memcpy(&eight, piece + at, sizeof eight);
        if ((eight & TOP_BITS) != 0) break;
    }
    return at;
}

/* Begins a character of more than one byte; false: no character begins so. */
static bool begin_character(struct utf8 *utf8, uint8_t lead)
{
    utf8->low = 0x80;
    utf8->high = 0xbf;
    if (lead < 0xc2 || lead > 0xf4) return false; /* continuation bytes, overlong C0 and C1, F5 and above */
    if (lead < 0xe0) {
        utf8->left = 1;
    } else if (lead < 0xf0) {
        utf8->left = 2;
        if (lead == 0xe0) utf8->low = 0xa0;
        if (lead == 0xed) utf8->high = 0x9f;
    } else {
        utf8->left = 3;
        if (lead == 0xf0) utf8->low = 0x90;
        if (lead == 0xf4) utf8->high = 0x8f;
    }
    return true;
}

static bool continue_character(struct utf8 *utf8, uint8_t byte)
{
    if (byte < utf8->low || byte > utf8->high) return false;
    utf8->low = 0x80;
    utf8->high = 0xbf;
    utf8->left--;
    return true;
}

bool utf8_check(struct utf8 *utf8, const uint8_t *piece, size_t count)
{
    size_t at = 0;
    while (at < count) {
        if (utf8->left > 0) {
            if (!continue_character(utf8, piece[at++])) return false;
        } else if (piece[at] >= 0x80) {
            if (!begin_character(utf8, piece[at++])) return false;
        } else {
            size_t ascii = ascii_count(piece + at, count - at);
            at += ascii > 0 ? ascii : 1;
        }
    }
    return true;
}
