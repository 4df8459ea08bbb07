/* tests/bench/load/test_stamp.c - a stamp reads as it was written, and nothing else reads as one. */
#include "bench/load/stamp.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(stamp, reads_as_it_was_written, .timeout = 10)
{
    static const struct stamp stamps[] = {{0, 0, 0},
                                          {1, 2, 3},
                                          {0x9abcdef0, 0x12345678, UINT64_C(0xfedcba9876543210)},
                                          {UINT32_MAX, UINT32_MAX, UINT64_MAX},
                                          {0x09af90fa, 0xa0a0a0a0, UINT64_C(0x9999aaaa0000ffff)}};
    for (size_t i = 0; i < sizeof stamps / sizeof stamps[0]; i++) {
        uint8_t bytes[STAMP_BYTES];
        char text[STAMP_BYTES + 1];
        struct stamp read = {0};
        stamp_write(bytes, &stamps[i]);
        snprintf(text, sizeof text, "%08x%08x%016lx", stamps[i].publisher, stamps[i].sequence, stamps[i].due_ns);
        cr_assert_arr_eq(bytes, text, STAMP_BYTES);
        cr_assert(stamp_read(bytes, &read));
        cr_expect_eq(read.publisher, stamps[i].publisher);
        cr_expect_eq(read.sequence, stamps[i].sequence);
        cr_expect_eq(read.due_ns, stamps[i].due_ns);
    }
}

Test(stamp, any_byte_that_is_no_digit_spoils_it, .timeout = 10)
{
    uint8_t bytes[STAMP_BYTES];
    struct stamp stamp = {0x01234567, 0x89abcdef, UINT64_C(0x0011aaff77889900)}, read;
    for (size_t at = 0; at < STAMP_BYTES; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            bool is_digit = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
            stamp_write(bytes, &stamp);
            bytes[at] = (uint8_t)byte;
            cr_assert_eq(stamp_read(bytes, &read), is_digit, "byte %u at %zu", byte, at);
        }
    }
}

Test(stamp, filler_matches_only_at_its_own_offset, .timeout = 10)
{
    uint8_t bytes[200];
    filler_prepare();
    filler_write(bytes, sizeof bytes, STAMP_BYTES);
    cr_expect(filler_matches(bytes, sizeof bytes, STAMP_BYTES));
    cr_expect(filler_matches(bytes + 50, sizeof bytes - 50, STAMP_BYTES + 50));
    cr_expect_not(filler_matches(bytes, sizeof bytes, STAMP_BYTES + 1));
    cr_expect_not(filler_matches(bytes, sizeof bytes, STAMP_BYTES + 4096));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 0x40;
        cr_expect_not(filler_matches(bytes, sizeof bytes, STAMP_BYTES), "byte %zu", i);
        bytes[i] ^= 0x40;
    }
}

Test(stamp, sizes_are_known_from_the_stamp_and_reach_from_end_to_end, .timeout = 10)
{
    bool has_come[9] = {false};
    for (uint32_t i = 0; i < 1000; i++) {
        struct stamp stamp = {.publisher = i % 3, .sequence = i / 3};
        uint32_t bytes = stamp_payload_bytes(&stamp, 40, 48);
        cr_assert(bytes >= 40 && bytes <= 48);
        cr_assert_eq(bytes, stamp_payload_bytes(&stamp, 40, 48));
        cr_assert_eq(stamp_payload_bytes(&stamp, 64, 64), 64);
        has_come[bytes - 40] = true;
    }
    for (int i = 0; i < 9; i++) {
        cr_expect(has_come[i], "%d bytes", 40 + i);
    }
}
