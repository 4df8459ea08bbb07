/* core/text.c - comparing views of text. */
#include "core/text.h"

#include <strings.h>

bool text_is(struct text a, const char *b)
{
    return a.at != NULL && a.count == strlen(b) && memcmp(a.at, b, a.count) == 0;
}

bool text_is_nocase(struct text a, const char *b)
{
    return a.at != NULL && a.count == strlen(b) && strncasecmp(a.at, b, a.count) == 0;
}

bool text_has_prefix(struct text text, const char *prefix)
{
    size_t count = strlen(prefix);
    return text.count >= count && (count == 0 || memcmp(text.at, prefix, count) == 0);
}

bool text_has_controls(struct text text)
{
    for (size_t i = 0; i < text.count; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < ' ' || c == 0x7f) return true;
        if (c == 0xc2 && i + 1 < text.count && (unsigned char)text.at[i + 1] < 0xa0) return true;
    }
    return false;
}

bool text_take_number(struct text *text, uint64_t *number_r)
{
    size_t digits = 0;
    *number_r = 0;
    for (; digits < text->count && text->at[digits] >= '0' && text->at[digits] <= '9'; digits++) {
        uint64_t digit = (uint64_t)(text->at[digits] - '0');
        bool is_too_big = *number_r > (UINT64_MAX - digit) / 10;
        *number_r = is_too_big ? UINT64_MAX : *number_r * 10 + digit;
    }
    *text = text_behind(*text, digits);
    return digits > 0;
}

bool text_is_number(struct text text, uint64_t *number_r)
{
    return text.at != NULL && text_take_number(&text, number_r) && text.count == 0;
}
