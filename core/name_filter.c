/* core/name_filter.c - levels of bits, each asked. */
#include "core/name_filter.h"

#include <assert.h>
#include <stdlib.h>

#define FIRST_LEVEL_BITS (UINT64_C(1) << 17)
#define BITS_A_NAME      16
#define PROBES           6

void name_filter_init(struct name_filter *filter, uint64_t bytes_max)
{
    *filter = (struct name_filter){.bytes_max = bytes_max};
}

void name_filter_fini(struct name_filter *filter)
{
    for (uint32_t i = 0; i < filter->levels_count; i++) {
        free(filter->levels[i]);
    }
    *filter = (struct name_filter){0};
}

static uint64_t level_bits(uint32_t level)
{
    assert(level <= NAME_FILTER_LEVELS_MAX);
    return FIRST_LEVEL_BITS << level;
}

/* The hash's two halves make all probes (Kirsch and Mitzenmacher 2006). Shards share out names by the upper half, so
 * it is mixed with the lower. */
static uint64_t bit_of(uint64_t hash, uint32_t probe, uint32_t level)
{
    uint64_t step = ((hash >> 32) * UINT64_C(0x9e3779b97f4a7c15) >> 16 ^ hash) | 1;
    return (hash + probe * step) & (level_bits(level) - 1);
}

static bool level_has(const struct name_filter *filter, uint32_t level, uint64_t hash)
{
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        uint64_t bit = bit_of(hash, probe, level);
        if ((filter->levels[level][bit / 64] >> bit % 64 & 1) == 0) return false;
    }
    return true;
}

bool name_filter_may_have(const struct name_filter *filter, uint64_t hash)
{
    if (filter->has_all) return true;
    for (uint32_t level = filter->levels_count; level > 0; level--) {
        if (level_has(filter, level - 1, hash)) return true;
    }
    return false;
}

static void grow(struct name_filter *filter)
{
    uint32_t level = filter->levels_count;
    uint64_t bytes = level_bits(level) / 8;
    if (level > 0 && (level == NAME_FILTER_LEVELS_MAX || filter->bytes + bytes > filter->bytes_max)) return;
    filter->levels[level] = calloc(bytes / sizeof(uint64_t), sizeof(uint64_t));
    if (filter->levels[level] == NULL) return;
    filter->levels_count++;
    filter->bytes += bytes;
    filter->room = level_bits(level) / BITS_A_NAME;
}

void name_filter_add(struct name_filter *filter, uint64_t hash)
{
    if (name_filter_may_have(filter, hash)) return;
    if (filter->room == 0) grow(filter);
    if (filter->levels_count == 0) {
        filter->has_all = true;
        return;
    }
    uint32_t level = filter->levels_count - 1;
    for (uint32_t probe = 0; probe < PROBES; probe++) {
        uint64_t bit = bit_of(hash, probe, level);
        filter->levels[level][bit / 64] |= UINT64_C(1) << bit % 64;
    }
    if (filter->room > 0) filter->room--;
}
