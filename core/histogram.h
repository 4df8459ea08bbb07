/* core/histogram.h - how long things took: times counted in buckets with fixed bounds.
 *
 * Bounds:    16 us, 24, 32, 48, 64 and so on, two for each doubling, up to 33.6 s; the last bucket has what took
 *            longer. Each has its bound in it, as Prometheus wants it. A quantile is known to less than half of itself.
 * Threads:   as with counters (core/counters.h): the owner records, any thread reads at any time.
 * Cost:      a few nanoseconds and two stores; 360 bytes. A zeroed struct is empty. */
#pragma once

#include <ck_pr.h>
#include <stdint.h>

#define HISTOGRAM_BUCKETS 44

struct histogram {
    uint64_t sum_us;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Which bucket a time belongs into. */
static inline uint32_t histogram_bucket(uint64_t us)
{
    if (us <= 16) return 0;
    uint32_t doubling = 63 - (uint32_t)__builtin_clzll(us - 1); /* of what is below it, for the bound belongs in */
    uint32_t bucket = 1 + 2 * (doubling - 4) + (uint32_t)(((us - 1) >> (doubling - 1)) & 1);
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* Owner. */
static inline void histogram_record(struct histogram *histogram, uint64_t us)
{
    uint64_t *count = &histogram->buckets[histogram_bucket(us)];
    ck_pr_store_64(count, *count + 1);
    ck_pr_store_64(&histogram->sum_us, histogram->sum_us + us);
}

/* The longest time that belongs into a bucket; UINT64_MAX: the last one's. */
uint64_t histogram_bound_us(uint32_t bucket);

/* Any thread: adds what another thread's has counted so far to a sum of one's own. */
void histogram_add(struct histogram *sum, const struct histogram *one);
uint64_t histogram_count(const struct histogram *histogram);
/* The bound that `part` (0 to 1) of all times do not exceed; 0: there are none. What lies behind the last bound is said
 * to be there. */
uint64_t histogram_quantile_us(const struct histogram *histogram, double part);
