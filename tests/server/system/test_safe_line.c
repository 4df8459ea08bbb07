/* tests/server/system/test_safe_line.c - numbers as printf() has them, and nothing beyond the line's end. */
#include "server/system/safe_line.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>

Test(safe_line, writes_numbers_like_printf, .timeout = 5)
{
    static const uint64_t numbers[] = {0, 1, 9, 10, 4294967295, INT64_MAX, (uint64_t)INT64_MIN, UINT64_MAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char expected[SAFE_LINE_BYTES_MAX];
        struct safe_line line = {0};
        safe_line_text(&line, "it is ");
        safe_line_number(&line, numbers[i]);
        safe_line_text(&line, ", ");
        safe_line_signed(&line, (int64_t)numbers[i]);
        safe_line_text(&line, ", ");
        safe_line_hex(&line, numbers[i]);
        snprintf(expected, sizeof expected, "it is %" PRIu64 ", %" PRId64 ", 0x%" PRIx64, numbers[i],
                 (int64_t)numbers[i], numbers[i]);
        cr_expect_str_eq(safe_line_end(&line), expected);
    }
}

Test(safe_line, is_padded_once, .timeout = 5)
{
    struct safe_line line = {0};
    safe_line_text(&line, "ab");
    safe_line_pad(&line, 5);
    safe_line_text(&line, "c");
    safe_line_pad(&line, 3);
    cr_expect_str_eq(safe_line_end(&line), "ab   c");
}

Test(safe_line, is_cut_at_its_end, .timeout = 5)
{
    struct {
        struct safe_line line;
        char behind;
    } guarded = {.behind = 'x'};
    for (int i = 0; i < 100; i++) {
        safe_line_text(&guarded.line, "twelve bytes");
        safe_line_number(&guarded.line, 12);
        safe_line_pad(&guarded.line, 10000);
    }
    cr_expect_eq(guarded.line.count, SAFE_LINE_BYTES_MAX - 1);
    cr_expect_eq(strlen(safe_line_end(&guarded.line)), SAFE_LINE_BYTES_MAX - 1);
    cr_expect_eq(guarded.behind, 'x');
}
