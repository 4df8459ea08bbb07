/* core/json_text.h - writes JSON strings (RFC 8259 7): what stands between the quotes.
 *
 * Only what must be escaped is: the quote, the backslash and control characters; all other bytes pass as they are, so
 * UTF-8 stays UTF-8 and a text that needs no escape is copied. Text goes into a string that itself stands in a string
 * (the "data" of a Pusher event) by escaping it twice. Nothing is allocated here; the caller makes room. */
#pragma once

#include "core/text.h"

#include <stddef.h>

/* How many bytes json_text_write() writes; at most 6 for each byte of text. */
size_t json_text_bytes(struct text text);
/* Writes the text escaped, without quotes; returns the end of what it wrote. */
char *json_text_write(char *to, struct text text);

/* Like json_text_bytes() and json_text_write(), for text that is escaped twice: what the latter makes of what it
 * makes. */
size_t json_text_bytes_twice(struct text text);
char *json_text_write_twice(char *to, struct text text);
