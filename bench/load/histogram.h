/* bench/load/histogram.h - how often which latency: equal relative precision from 1 ns to half an hour,
 * in fixed memory.
 *
 * Each doubling of the value has 64 buckets (the idea of HdrHistogram), so a percentile is at most 1/64 too large and
 * never too small; the maximum is exact. Recording is a few instructions. One thread. A zeroed struct is empty. */
#pragma once

#include <stdint.h>

enum {
    HISTOGRAM_STEP_BITS = 6, /* 64 buckets for each doubling */
    HISTOGRAM_VALUE_BITS = 41,
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS,
};

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t buckets[HISTOGRAM_BUCKETS]; /* values beyond the last count in the last */
};

static inline uint32_t histogram_bucket(uint64_t value)
{
    if (value >> HISTOGRAM_VALUE_BITS != 0) return HISTOGRAM_BUCKETS - 1;
    if (value >> HISTOGRAM_STEP_BITS == 0) return (uint32_t)value;
    uint32_t shift = 63 - (uint32_t)__builtin_clzll(value) - HISTOGRAM_STEP_BITS;
    return (shift << HISTOGRAM_STEP_BITS) + (uint32_t)(value >> shift);
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    histogram->count++;
    histogram->buckets[histogram_bucket(value)]++;
    if (value > histogram->max) histogram->max = value;
}

/* The value that this share of all values (0.99 for p99) does not exceed; 0 when there are none. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);
/* Adds all values of the other. */
void histogram_add(struct histogram *histogram, const struct histogram *other);
