/* server/system/harmless.h - text of anybody's as one line that no terminal and no reader of lines obeys.
 *
 * Any thread; no state, nothing is allocated. */
#pragma once

#include <stddef.h>

/* Writes the text, up to its zero, without a closing zero: control characters and bytes that are no UTF-8 as \xNN;
 * what does not fit is cut, with "…" in its place. Returns the bytes written, at most `size`. */
size_t harmless_put(char *to, size_t size, const char *text);
/* The same with a closing zero within `size`, which is not 0. Returns `to`. */
const char *harmless_text(char *to, size_t size, const char *text);
