/* core/span.c - growing and freeing of spans. */
#include "core/span.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 240 /* with the head a whole number of malloc's steps */

enum rc span_append(struct span **span, const uint8_t *bytes, uint32_t count)
{
    uint32_t have = *span != NULL ? (*span)->count : 0;
    uint32_t capacity = *span != NULL ? (*span)->capacity : 0;
    uint32_t needed = have + count;
    if (needed > capacity || *span == NULL) {
        if (capacity < CAPACITY_MIN) capacity = CAPACITY_MIN;
        while (capacity < needed) {
            capacity *= 2;
        }
        struct span *larger = realloc(*span, sizeof *larger + capacity);
        if (larger == NULL) return RC_ENOMEM;
        *larger = (struct span){.count = have, .capacity = capacity};
        *span = larger;
    }
    if (count > 0) memcpy((*span)->bytes + have, bytes, count);
    (*span)->count = needed;
    return RC_OK;
}

enum rc span_append_text(struct span **span, struct text text)
{
    return text.count > 0 ? span_append(span, (const uint8_t *)text.at, (uint32_t)text.count) : RC_OK;
}

enum rc span_print(struct span **span, const char *format, ...)
{
    char piece[SPAN_PRINT_BYTES_MAX + 1];
    va_list arguments;
    va_start(arguments, format);
    int count = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    assert(count >= 0 && (size_t)count < sizeof piece);
    return span_append(span, (const uint8_t *)piece, (uint32_t)count);
}

void span_free(struct span **span)
{
    free(*span);
    *span = NULL;
}
