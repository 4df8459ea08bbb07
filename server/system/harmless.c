/* server/system/harmless.c - what may be shown as it is, and what is written as \xNN. */
#include "server/system/harmless.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CUT       "…"
#define CUT_BYTES (sizeof CUT - 1)

/* 10xxxxxx, and from..to for the second byte of a sequence (Unicode 15, table 3-7). */
static bool is_between(uint8_t byte, uint8_t from, uint8_t to)
{
    return byte >= from && byte <= to;
}

/* The length of the harmless character at `at`, 0 when what stands there is a control character or not UTF-8. Looks
 * at no byte behind a zero. */
static size_t character_bytes(const uint8_t *at)
{
    uint8_t first = at[0], from = 0x80, to = 0xbf;
    size_t length;
    if (is_between(first, 0x20, 0x7e)) return 1;
    if (is_between(first, 0xc2, 0xdf))
        length = 2;
    else if (is_between(first, 0xe0, 0xef))
        length = 3;
    else if (is_between(first, 0xf0, 0xf4))
        length = 4;
    else
        return 0;
    if (first == 0xc2) from = 0xa0; /* below: the controls U+0080 to U+009F, obeyed by terminals like ESC [ */
    if (first == 0xe0) from = 0xa0;
    if (first == 0xf0) from = 0x90;
    if (first == 0xed) to = 0x9f;
    if (first == 0xf4) to = 0x8f;
    if (!is_between(at[1], from, to)) return 0;
    for (size_t i = 2; i < length; i++)
        if (!is_between(at[i], 0x80, 0xbf)) return 0;
    return length;
}

static size_t cut(char *to, size_t at, size_t size)
{
    if (at + CUT_BYTES > size) return at; /* there was not even room for the mark */
    memcpy(to + at, CUT, CUT_BYTES);
    return at + CUT_BYTES;
}

size_t harmless_put(char *to, size_t size, const char *text)
{
    size_t used = 0, cut_at = 0; /* the last place where the mark of a cut still fits */
    for (const uint8_t *at = (const uint8_t *)text; *at != '\0';) {
        char escaped[5];
        size_t eaten = character_bytes(at);
        const char *piece = (const char *)at;
        size_t bytes = eaten;
        if (eaten == 0) {
            snprintf(escaped, sizeof escaped, "\\x%02x", at[0]);
            piece = escaped;
            bytes = 4;
            eaten = 1;
        }
        if (used + bytes > size) return cut(to, cut_at, size);
        memcpy(to + used, piece, bytes);
        used += bytes;
        at += eaten;
        if (used + CUT_BYTES <= size) cut_at = used;
    }
    return used;
}

const char *harmless_text(char *to, size_t size, const char *text)
{
    to[harmless_put(to, size - 1, text)] = '\0';
    return to;
}
