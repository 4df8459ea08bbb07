/* tests/core/test_bytes.c - the cursor eats in network order and remembers that it ran short. */
#include "core/bytes.h"

#include <criterion/criterion.h>

Test(bytes, integers_are_read_in_network_order, .timeout = 5)
{
    uint8_t data[] = {0x01, 0x02, 0x03, 0xf4, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b};
    struct bytes bytes = bytes_of(data, sizeof data);
    cr_expect_eq(bytes_u8(&bytes), 0x01);
    cr_expect_eq(bytes_u16(&bytes), 0x0203);
    cr_expect_eq(bytes_u64(&bytes), UINT64_C(0xf405060708090a0b));
    cr_expect_eq(bytes.count, 0);
    cr_expect_not(bytes.ran_short, "all was there");
}

Test(bytes, taken_bytes_are_the_owners_own, .timeout = 5)
{
    uint8_t data[] = "abcdef";
    struct bytes bytes = bytes_of(data, 6);
    cr_expect_eq(bytes_take(&bytes, 2), data);
    cr_expect_eq(bytes_take(&bytes, 0), data + 2, "nothing is a place too");
    cr_expect_eq(bytes_take(&bytes, 4), data + 2);
    cr_expect_eq(bytes_take(&bytes, 0), data + 6);
    cr_expect_not(bytes.ran_short);
}

/* Method: each reader meets every count that is too small; the memory behind it is exactly that long, for ASan. */
Test(bytes, a_read_past_the_end_gives_zero_and_eats_nothing, .timeout = 5)
{
    for (size_t count = 0; count < 8; count++) {
        uint8_t *data = malloc(count + 1);
        memset(data, 0xff, count + 1);
        struct bytes from_u8 = bytes_of(data, 0), from_u16 = bytes_of(data, count % 2),
                     from_u64 = bytes_of(data, count);
        cr_expect_eq(bytes_u8(&from_u8), 0);
        cr_expect_eq(bytes_u16(&from_u16), 0);
        cr_expect_eq(bytes_u64(&from_u64), 0);
        cr_expect(from_u8.ran_short && from_u16.ran_short && from_u64.ran_short);
        cr_expect_eq(from_u64.at, data);
        cr_expect_eq(from_u64.count, count);
        free(data);
    }
}

Test(bytes, running_short_is_remembered, .timeout = 5)
{
    uint8_t data[] = {1, 2, 3};
    struct bytes bytes = bytes_of(data, sizeof data);
    bytes_u64(&bytes);
    cr_expect_eq(bytes_u8(&bytes), 0, "a shorter read would fit, but the header is broken already");
    cr_expect_null(bytes_take(&bytes, 0));
    cr_expect(bytes.ran_short);
}

Test(bytes, a_count_near_the_largest_does_not_wrap, .timeout = 5)
{
    uint8_t data[4] = {0};
    struct bytes bytes = bytes_of(data, sizeof data);
    cr_expect_null(bytes_take(&bytes, SIZE_MAX));
}
