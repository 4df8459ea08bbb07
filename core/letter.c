/* core/letter.c - names of the kinds of letter. */
#include "core/letter.h"

const char *letter_name(unsigned kind)
{
    static const char *const names[] = {
#define LETTER(name, lane, body, text) [LETTER_##name] = #name,
#include "core/letter.def"
#undef LETTER
    };
    return kind < sizeof names / sizeof names[0] ? names[kind] : "UNKNOWN";
}
