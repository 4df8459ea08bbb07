/* tests/bench/load/test_histogram.c - percentiles are never too small and at most 1/64 too large,
 * at every size of value. */
#include "bench/load/histogram.h"

#include <criterion/criterion.h>
#include <string.h>

static void expect_within(uint64_t found, uint64_t wanted)
{
    cr_expect(found >= wanted && found <= wanted + wanted / 64, "%lu instead of %lu", found, wanted);
}

Test(histogram, one_value_is_every_percentile, .timeout = 10)
{
    for (uint64_t value = 0; value < UINT64_C(1) << 40; value = value * 5 / 4 + 1) {
        struct histogram histogram = {0};
        histogram_record(&histogram, value);
        cr_expect_eq(histogram_percentile(&histogram, 0.5), value, "%lu", value);
        cr_expect_eq(histogram_percentile(&histogram, 0.999), value, "%lu", value);
    }
}

Test(histogram, buckets_follow_one_another_without_gap, .timeout = 10)
{
    uint32_t last = 0;
    for (uint64_t value = 0; value < UINT64_C(1) << 40; value += 1 + value / 128) {
        uint32_t bucket = histogram_bucket(value);
        cr_assert(bucket == last || bucket == last + 1, "%lu lies in %u after %u", value, bucket, last);
        last = bucket;
    }
}

Test(histogram, percentiles_of_a_line_lie_on_it, .timeout = 10)
{
    static const uint64_t steps[] = {1, 7, 1000, 1000000};
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        struct histogram histogram = {0};
        for (uint64_t i = 1; i <= 100000; i++) {
            histogram_record(&histogram, i * steps[s]);
        }
        expect_within(histogram_percentile(&histogram, 0.5), 50000 * steps[s]);
        expect_within(histogram_percentile(&histogram, 0.9), 90000 * steps[s]);
        expect_within(histogram_percentile(&histogram, 0.99), 99000 * steps[s]);
        expect_within(histogram_percentile(&histogram, 0.999), 99900 * steps[s]);
        cr_expect_eq(histogram_percentile(&histogram, 1), 100000 * steps[s]);
        cr_expect_eq(histogram.max, 100000 * steps[s]);
        cr_expect_eq(histogram.count, 100000);
    }
}

Test(histogram, what_is_too_large_counts_and_shows_as_the_maximum, .timeout = 10)
{
    struct histogram histogram = {0};
    cr_expect_eq(histogram_percentile(&histogram, 0.5), 0, "empty");
    histogram_record(&histogram, 10);
    histogram_record(&histogram, UINT64_MAX - 1);
    cr_expect_eq(histogram_percentile(&histogram, 0.5), 10);
    cr_expect_eq(histogram_percentile(&histogram, 0.99), UINT64_MAX - 1);
}

Test(histogram, two_added_are_as_if_all_were_recorded_in_one, .timeout = 10)
{
    static struct histogram one, odd, even;
    for (uint64_t i = 1; i < 50000; i++) {
        histogram_record(&one, i * i);
        histogram_record(i % 2 == 1 ? &odd : &even, i * i);
    }
    histogram_add(&odd, &even);
    cr_expect_eq(memcmp(&odd, &one, sizeof one), 0);
}
