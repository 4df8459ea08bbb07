/* core/span.h - bytes gathered until they are whole: a block that grows by doubling, or nothing.
 *
 * Most connections gather nothing most of the time, so the handle is one pointer. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdint.h>

struct span {
    uint32_t count;
    uint32_t capacity;
    uint8_t bytes[];
};

#define SPAN_PRINT_BYTES_MAX 400

/* Adds bytes; *span is NULL or a span. RC_ENOMEM: unchanged. */
enum rc span_append(struct span **span, const uint8_t *bytes, uint32_t count);
/* Adds a text as span_append() adds bytes; no text, or an empty one, adds nothing. */
enum rc span_append_text(struct span **span, struct text text);
/* Adds what printf() would write, at most SPAN_PRINT_BYTES_MAX. RC_ENOMEM: unchanged. */
enum rc span_print(struct span **span, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Accepts a pointer to NULL; leaves NULL. */
void span_free(struct span **span);
