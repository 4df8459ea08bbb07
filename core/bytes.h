/* core/bytes.h - a cursor over bytes that somebody else owns.
 *
 * Reads take from the front, big endian (network order). A read past the end returns zeros and sets `ran_short`,
 * which stays set: read a whole header, test once. To eat only on success, read from a copy and assign it back.
 * The cursor never frees or grows anything; writing through `at` is allowed when the owner says so. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
    uint8_t *at;
    size_t count;   /* bytes left from `at` on */
    bool ran_short; /* sticky: a read wanted more than was left */
};

static inline struct bytes bytes_of(void *data, size_t count)
{
    return (struct bytes){.at = data, .count = count};
}

/* Takes `count` bytes off the front and returns where they begin; NULL (and ran_short) when fewer are left. */
static inline uint8_t *bytes_take(struct bytes *bytes, size_t count)
{
    if (bytes->ran_short || bytes->count < count) {
        bytes->ran_short = true;
        return NULL;
    }
    uint8_t *taken = bytes->at;
    bytes->at += count;
    bytes->count -= count;
    return taken;
}

static inline uint8_t bytes_u8(struct bytes *bytes)
{
    const uint8_t *from = bytes_take(bytes, 1);
    return from != NULL ? from[0] : 0;
}

static inline uint16_t bytes_u16(struct bytes *bytes)
{
    const uint8_t *from = bytes_take(bytes, 2);
    return from != NULL ? (uint16_t)(from[0] << 8 | from[1]) : 0;
}

static inline uint64_t bytes_u64(struct bytes *bytes)
{
    uint64_t value;
    const uint8_t *from = bytes_take(bytes, sizeof value);
    if (from == NULL) return 0;
    memcpy(&value, from, sizeof value);
    return __builtin_bswap64(value);
}
