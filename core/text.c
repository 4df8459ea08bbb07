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
