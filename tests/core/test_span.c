/* tests/core/test_span.c - bytes gathered in pieces of any size are the bytes given. */
#include "core/span.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(span, pieces_of_any_size_add_up, .timeout = 20)
{
    static const uint32_t pieces[] = {1, 7, 239, 240, 241, 4096, 100000};
    enum { TOTAL = 300000 };
    uint8_t *bytes = malloc(TOTAL);
    for (uint32_t i = 0; i < TOTAL; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    for (size_t p = 0; p < sizeof pieces / sizeof pieces[0]; p++) {
        struct span *span = NULL;
        uint32_t total = pieces[p] == 1 ? 3000 : TOTAL;
        for (uint32_t at = 0; at < total; at += pieces[p]) {
            uint32_t count = total - at < pieces[p] ? total - at : pieces[p];
            cr_assert_eq(span_append(&span, bytes + at, count), RC_OK);
            cr_assert_eq(span->count, at + count);
            cr_assert_leq(span->count, span->capacity);
        }
        cr_expect(memcmp(span->bytes, bytes, total) == 0, "pieces of %u", pieces[p]);
        span_free(&span);
    }
    free(bytes);
}

Test(span, nothing_added_to_nothing_makes_an_empty_span, .timeout = 5)
{
    struct span *span = NULL;
    cr_assert_eq(span_append(&span, NULL, 0), RC_OK);
    cr_assert_not_null(span);
    cr_expect_eq(span->count, 0);
    cr_assert_eq(span_append(&span, (const uint8_t *)"ab", 2), RC_OK);
    cr_expect_eq(span->count, 2);
    span_free(&span);
    cr_expect_null(span);
    span_free(&span);
}

Test(span, what_is_printed_follows_what_was_there, .timeout = 5)
{
    char most[SPAN_PRINT_BYTES_MAX + 1];
    struct span *span = NULL;
    memset(most, 'x', SPAN_PRINT_BYTES_MAX);
    most[SPAN_PRINT_BYTES_MAX] = '\0';
    cr_assert_eq(span_print(&span, "%s", most), RC_OK);
    cr_assert_eq(span_print(&span, "[%u]", 7u), RC_OK);
    cr_assert_eq(span->count, SPAN_PRINT_BYTES_MAX + 3);
    cr_expect(memcmp(span->bytes, most, SPAN_PRINT_BYTES_MAX) == 0);
    cr_expect(memcmp(span->bytes + SPAN_PRINT_BYTES_MAX, "[7]", 3) == 0);
    span_free(&span);
}
