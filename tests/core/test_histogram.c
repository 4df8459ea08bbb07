/* tests/core/test_histogram.c - every time is counted in the bucket whose bounds it lies between. */
#include "core/histogram.h"

#include <criterion/criterion.h>

Test(histogram, each_bound_belongs_to_its_bucket_and_one_more_to_the_next, .timeout = 5)
{
    for (uint32_t bucket = 0; bucket < HISTOGRAM_BUCKETS - 1; bucket++) {
        uint64_t bound = histogram_bound_us(bucket);
        cr_expect_eq(histogram_bucket(bound), bucket, "%lu us", bound);
        cr_expect_eq(histogram_bucket(bound + 1), bucket + 1, "%lu us", bound + 1);
        cr_expect_lt(bound, histogram_bound_us(bucket + 1));
    }
    cr_expect_eq(histogram_bucket(0), 0);
    cr_expect_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

Test(histogram, bounds_are_16_24_32_48_and_so_on_up_to_half_a_minute, .timeout = 5)
{
    static const uint64_t first[] = {16, 24, 32, 48, 64, 96, 128};
    for (uint32_t i = 0; i < sizeof first / sizeof first[0]; i++)
        cr_expect_eq(histogram_bound_us(i), first[i]);
    cr_expect_eq(histogram_bound_us(HISTOGRAM_BUCKETS - 2), 33554432);
    cr_expect_eq(histogram_bound_us(HISTOGRAM_BUCKETS - 1), UINT64_MAX);
}

Test(histogram, times_are_counted_and_summed, .timeout = 5)
{
    struct histogram histogram = {0};
    histogram_record(&histogram, 10);
    histogram_record(&histogram, 20);
    histogram_record(&histogram, 24);
    cr_expect_eq(histogram_count(&histogram), 3);
    cr_expect_eq(histogram.sum_us, 54);
    cr_expect_eq(histogram.buckets[0], 1);
    cr_expect_eq(histogram.buckets[1], 2);
}

Test(histogram, those_of_several_shards_are_added, .timeout = 5)
{
    struct histogram sum = {0}, one = {0}, other = {0};
    histogram_record(&one, 1000);
    histogram_record(&other, 1000);
    histogram_record(&other, UINT64_C(60) * 1000000);
    histogram_add(&sum, &one);
    histogram_add(&sum, &other);
    cr_expect_eq(histogram_count(&sum), 3);
    cr_expect_eq(sum.buckets[histogram_bucket(1000)], 2);
    cr_expect_eq(sum.buckets[HISTOGRAM_BUCKETS - 1], 1);
    cr_expect_eq(sum.sum_us, 60002000);
}

Test(histogram, a_quantile_is_the_bound_that_so_many_do_not_exceed, .timeout = 5)
{
    struct histogram histogram = {0};
    cr_expect_eq(histogram_quantile_us(&histogram, 0.99), 0, "there are none");
    for (uint32_t i = 0; i < 98; i++)
        histogram_record(&histogram, 20);
    histogram_record(&histogram, 700);
    histogram_record(&histogram, 5000);
    cr_expect_eq(histogram_quantile_us(&histogram, 0), 24);
    cr_expect_eq(histogram_quantile_us(&histogram, 0.5), 24);
    cr_expect_eq(histogram_quantile_us(&histogram, 0.98), 24);
    cr_expect_eq(histogram_quantile_us(&histogram, 0.99), 768);
    cr_expect_eq(histogram_quantile_us(&histogram, 1), 6144);
    histogram_record(&histogram, UINT64_MAX / 2);
    cr_expect_eq(histogram_quantile_us(&histogram, 1), 33554432, "behind the last bound");
}
