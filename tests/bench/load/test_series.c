/* tests/bench/load/test_series.c - whatever is added is there, in its second;
 * points are joined and nothing is lost by it. */
#include "bench/load/series.h"

#include <criterion/criterion.h>

static struct series_point *point_of(uint64_t sent, uint64_t latency)
{
    static struct series_point point;
    point = (struct series_point){.sent = sent};
    histogram_record(&point.latency, latency);
    return &point;
}

Test(series, seconds_in_any_order_become_points, .timeout = 10)
{
    struct series series = {0};
    static const uint32_t seconds[] = {3, 0, 3, 7};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(series_add(&series, seconds[i], point_of(10, 1000)), RC_OK);
    }
    cr_expect_eq(series.count, 8);
    cr_expect_eq(series.point_seconds, 1);
    cr_expect_eq(series.points[3].sent, 20);
    cr_expect_eq(series.points[3].latency.count, 2);
    cr_expect_eq(series.points[5].latency.count, 0, "a second in which nothing came");
    series_fini(&series);
    cr_expect_eq(series.count, 0);
}

Test(series, a_long_run_has_longer_points_and_loses_nothing, .timeout = 20)
{
    static const uint32_t lengths[] = {1, 2, 4, 4};
    static const uint32_t seconds[] = {SERIES_POINTS_MAX, SERIES_POINTS_MAX + 1, 2 * SERIES_POINTS_MAX + 1,
                                       4 * SERIES_POINTS_MAX};
    for (size_t i = 0; i < 4; i++) {
        struct series series = {0};
        struct histogram total;
        for (uint32_t second = 0; second < seconds[i]; second++) {
            cr_assert_eq(series_add(&series, second, point_of(1, second)), RC_OK);
        }
        cr_expect_eq(series.point_seconds, lengths[i], "%u seconds: %u", seconds[i], series.point_seconds);
        cr_expect_leq(series.count, SERIES_POINTS_MAX);
        uint64_t sent = 0;
        for (uint32_t p = 0; p < series.count; p++) {
            sent += series.points[p].sent;
            cr_expect_eq(series.points[p].latency.count, series.points[p].sent);
        }
        series_total(&series, &total);
        cr_expect_eq(sent, seconds[i]);
        cr_expect_eq(total.count, seconds[i]);
        cr_expect_eq(total.max, seconds[i] - 1);
        series_fini(&series);
    }
}

Test(series, one_is_added_to_another_where_its_seconds_are, .timeout = 20)
{
    struct series series = {0}, other = {0}, coarse = {0};
    for (uint32_t second = 0; second < 5; second++) {
        cr_assert_eq(series_add(&series, second, point_of(1, 10)), RC_OK);
        cr_assert_eq(series_add(&other, second, point_of(100, 20)), RC_OK);
    }
    cr_assert_eq(series_add(&coarse, 3 * SERIES_POINTS_MAX, point_of(7, 30)), RC_OK);
    cr_assert_eq(series_add_all(&series, &other, 2), RC_OK);
    cr_expect_eq(series.count, 7);
    cr_expect_eq(series.points[1].sent, 1);
    cr_expect_eq(series.points[2].sent, 101);
    cr_expect_eq(series.points[6].sent, 100);
    cr_assert_eq(series_add_all(&series, &coarse, 0), RC_OK);
    cr_expect_eq(series.point_seconds, 4, "the coarser one decides");
    cr_expect_eq(series.points[0].sent, 1 + 1 + 101 + 101);
    cr_expect_eq(series.points[3 * SERIES_POINTS_MAX / 4].sent, 7);
    series_fini(&series);
    series_fini(&other);
    series_fini(&coarse);
}
