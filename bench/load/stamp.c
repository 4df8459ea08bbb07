/* bench/load/stamp.c - hexadecimal digits eight at a time, and the filler's pattern.
 *
 * A load tool reads one stamp for each delivery, millions a second, so digits are not looked at one by one. */
#include "bench/load/stamp.h"

#include <string.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Eight digits, the first in the lowest byte as it lies in memory. */
static uint64_t digits_of(uint32_t value)
{
    uint64_t nibbles = value;
    nibbles = (nibbles | nibbles << 16) & UINT64_C(0x0000ffff0000ffff);
    nibbles = (nibbles | nibbles << 8) & UINT64_C(0x00ff00ff00ff00ff);
    nibbles = (nibbles | nibbles << 4) & (0x0f * EACH_BYTE);
    uint64_t is_letter = ((nibbles + 6 * EACH_BYTE) >> 4) & EACH_BYTE;
    return __builtin_bswap64(nibbles + '0' * EACH_BYTE + is_letter * ('a' - '0' - 10));
}

static uint32_t value_of(uint64_t digits)
{
    digits = __builtin_bswap64(digits);
    uint64_t is_letter = (digits >> 6) & EACH_BYTE;
    uint64_t nibbles = (digits & (0x0f * EACH_BYTE)) + is_letter * 9;
    nibbles = (nibbles | nibbles >> 4) & UINT64_C(0x00ff00ff00ff00ff);
    nibbles = (nibbles | nibbles >> 8) & UINT64_C(0x0000ffff0000ffff);
    return (uint32_t)(nibbles | nibbles >> 16);
}

static void write_digits(uint8_t *to, uint32_t value)
{
    uint64_t digits = digits_of(value);
    memcpy(to, &digits, sizeof digits);
}

static bool read_digits(const uint8_t *from, uint32_t *value_r)
{
    uint64_t digits;
    memcpy(&digits, from, sizeof digits);
    *value_r = value_of(digits);
    return digits_of(*value_r) == digits; /* anything but digits reads as some value that is written otherwise */
}

void stamp_write(uint8_t to[STAMP_BYTES], const struct stamp *stamp)
{
    write_digits(to, stamp->publisher);
    write_digits(to + 8, stamp->sequence);
    write_digits(to + 16, (uint32_t)(stamp->due_ns >> 32));
    write_digits(to + 24, (uint32_t)stamp->due_ns);
}

bool stamp_read(const uint8_t from[STAMP_BYTES], struct stamp *stamp_r)
{
    uint32_t high, low;
    bool is_stamp = read_digits(from, &stamp_r->publisher) && read_digits(from + 8, &stamp_r->sequence) &&
                    read_digits(from + 16, &high) && read_digits(from + 24, &low);
    if (is_stamp) stamp_r->due_ns = (uint64_t)high << 32 | low;
    return is_stamp;
}

/* ---- filler ---- */

static uint8_t pattern[PAYLOAD_BYTES_MAX];

void filler_write(uint8_t *to, size_t count, size_t offset)
{
    /* Nothing that any JSON writer would escape; and no period that a power of two divides, so that a piece moved by
     * whole buffers does not match. */
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~:";
    for (size_t i = 0; i < count; i++) {
        to[i] = (uint8_t)letters[(offset + i) % (sizeof letters - 1)];
    }
}

void filler_prepare(void)
{
    filler_write(pattern, sizeof pattern, 0);
}

bool filler_matches(const uint8_t *bytes, size_t count, size_t offset)
{
    return memcmp(bytes, pattern + offset, count) == 0;
}

/* ---- sizes ---- */

static uint32_t mixed(uint32_t publisher, uint32_t sequence)
{
    uint64_t x = ((uint64_t)publisher << 32 | sequence) + UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)(x >> 32);
}

uint32_t stamp_payload_bytes(const struct stamp *stamp, uint32_t min, uint32_t max)
{
    if (min == max) return min;
    return min + (uint32_t)((uint64_t)mixed(stamp->publisher, stamp->sequence) * (max - min + 1) >> 32);
}
