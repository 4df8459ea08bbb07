/* core/text.h - a view of text that somebody else owns; not terminated by a zero, and any bytes may stand in it.
 *
 * Plain values: a view lives as long as what it points into. Nothing is allocated here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct text {
    const char *at; /* NULL: there is none, which is not the same as an empty one */
    size_t count;
};

/* A view of a string that is terminated by a zero. */
static inline struct text text_of(const char *string)
{
    return (struct text){.at = string, .count = strlen(string)};
}

/* The bytes from `from` up to `to`. */
static inline struct text text_between(const char *from, const char *to)
{
    return (struct text){.at = from, .count = (size_t)(to - from)};
}

static inline bool text_equals(struct text a, struct text b)
{
    return a.count == b.count && (a.count == 0 || memcmp(a.at, b.at, a.count) == 0);
}

/* Exactly equal? Equal but for the case of ASCII letters? `b` is terminated by a zero; no text equals none. */
bool text_is(struct text a, const char *b);
bool text_is_nocase(struct text a, const char *b);

/* Does the text begin with `prefix`, which is terminated by a zero? */
bool text_has_prefix(struct text text, const char *prefix);
/* Does the text have control characters: those of ASCII, and U+0080 to U+009F in UTF-8? */
bool text_has_controls(struct text text);
/* What is left behind the first `count` bytes; `count` is at most text.count. */
static inline struct text text_behind(struct text text, size_t count)
{
    return (struct text){.at = text.at + count, .count = text.count - count};
}

/* Takes decimal digits, at least one, from the front; *text is then what is left. What does not fit is UINT64_MAX. */
bool text_take_number(struct text *text, uint64_t *number_r);
/* The text as a whole is a number. */
bool text_is_number(struct text text, uint64_t *number_r);

/* Writes the text's bytes; returns the end of what it wrote. */
static inline char *text_put(char *to, struct text text)
{
    if (text.count > 0) memcpy(to, text.at, text.count);
    return to + text.count;
}
/* Writes the text's bytes at *to, which moves on; returns a view of the copy. No text stays none. */
static inline struct text text_copy(char **to, struct text text)
{
    if (text.at == NULL) return text;
    struct text copy = {.at = *to, .count = text.count};
    *to = text_put(*to, text);
    return copy;
}
