/* core/histogram.c - bounds, sums and quantiles of histograms. */
#include "core/histogram.h"

#include <assert.h>

#define FIRST_BOUND_US UINT64_C(16)

uint64_t histogram_bound_us(uint32_t bucket)
{
    assert(bucket < HISTOGRAM_BUCKETS);
    if (bucket == HISTOGRAM_BUCKETS - 1) return UINT64_MAX;
    uint64_t doubled = FIRST_BOUND_US << bucket / 2;
    return bucket % 2 == 0 ? doubled : doubled + doubled / 2;
}

void histogram_add(struct histogram *sum, const struct histogram *one)
{
    sum->sum_us += ck_pr_load_64(&one->sum_us);
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sum->buckets[i] += ck_pr_load_64(&one->buckets[i]);
}

uint64_t histogram_count(const struct histogram *histogram)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        count += histogram->buckets[i];
    return count;
}

uint64_t histogram_quantile_us(const struct histogram *histogram, double part)
{
    uint64_t count = histogram_count(histogram), below = 0;
    double wanted = part * (double)count;
    for (uint32_t i = 0; count > 0 && i < HISTOGRAM_BUCKETS - 1; i++) {
        below += histogram->buckets[i];
        if (below > 0 && (double)below >= wanted) return histogram_bound_us(i);
    }
    return count > 0 ? histogram_bound_us(HISTOGRAM_BUCKETS - 2) : 0;
}
