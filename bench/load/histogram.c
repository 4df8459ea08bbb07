/* bench/load/histogram.c - percentiles: count up the buckets, answer with the largest value that the last one holds. */
#include "bench/load/histogram.h"

static uint64_t largest_in(uint32_t bucket)
{
    if (bucket >> HISTOGRAM_STEP_BITS == 0) return bucket;
    uint32_t shift = (bucket >> HISTOGRAM_STEP_BITS) - 1;
    uint64_t first = (uint64_t)(bucket - (shift << HISTOGRAM_STEP_BITS)) << shift;
    return first + (UINT64_C(1) << shift) - 1;
}

uint64_t histogram_percentile(const struct histogram *histogram, double share)
{
    double wanted = share * (double)histogram->count;
    uint64_t below = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += histogram->buckets[i];
        if (below == 0 || (double)below < wanted) continue;
        uint64_t value = largest_in(i);
        return i < HISTOGRAM_BUCKETS - 1 && value < histogram->max ? value : histogram->max;
    }
    return histogram->max;
}

void histogram_add(struct histogram *histogram, const struct histogram *other)
{
    for (uint32_t i = 0; other->count > 0 && i < HISTOGRAM_BUCKETS; i++) {
        histogram->buckets[i] += other->buckets[i];
    }
    histogram->count += other->count;
    if (other->max > histogram->max) histogram->max = other->max;
}
