/* tests/core/test_counters.c - the counters' table is whole, and sums are right also where single gauges are not. */
#include "core/counters.h"

#include <criterion/criterion.h>
#include <ctype.h>

Test(counters, every_counter_has_a_text_and_its_own_lower_case_name, .timeout = 5)
{
    for (enum counter counter = 0; counter < COUNTERS_MAX; counter++) {
        const char *name = counter_name(counter);
        cr_expect_neq(counter_text(counter)[0], '\0', "%s", name);
        cr_expect_neq(name[0], '\0');
        for (const char *at = name; *at != '\0'; at++)
            cr_expect(islower((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_', "%s", name);
        for (enum counter other = 0; other < counter; other++)
            cr_expect_str_neq(name, counter_name(other));
    }
}

Test(counters, a_row_gives_name_kind_and_text, .timeout = 5)
{
    cr_expect_str_eq(counter_name(COUNTER_messages_received), "messages_received");
    cr_expect_str_eq(counter_text(COUNTER_messages_live), "message objects held");
    cr_expect_eq(counter_kind(COUNTER_messages_received), COUNTER_KIND_COUNT);
    cr_expect_eq(counter_kind(COUNTER_messages_live), COUNTER_KIND_GAUGE);
}

Test(counters, every_close_reason_has_a_counter_of_its_own, .timeout = 5)
{
    for (enum close_reason reason = 0; reason < CLOSE_REASONS_MAX; reason++) {
        enum counter counter = counter_of_close(reason);
        cr_assert_lt(counter, COUNTERS_MAX);
        cr_expect_eq(strncmp(counter_name(counter), "closed_", 7), 0);
        cr_expect_eq(strcasecmp(counter_name(counter) + 7, close_reason_name(reason)), 0);
        cr_expect_not_null(strstr(counter_text(counter), close_reason_text(reason)));
        cr_expect_eq(counter_kind(counter), COUNTER_KIND_COUNT);
    }
    cr_expect_str_eq(counter_name(counter_of_close(CLOSE_PEER_GONE)), "closed_peer_gone");
    cr_expect_eq(counter_of_close(CLOSE_NONE), COUNTER_CLOSED);
    cr_expect_eq(counter_of_close(CLOSE_REASONS_MAX - 1), COUNTERS_MAX - 1);
}

Test(counters, one_counter_changes_and_no_other, .timeout = 5)
{
    struct counters counters = {0};
    counter_add(&counters, COUNTER_sends, 3);
    counter_add(&counters, COUNTER_sends, UINT64_C(1) << 40);
    counter_add(&counters, COUNTER_channels, 5);
    counter_subtract(&counters, COUNTER_channels, 2);
    for (enum counter counter = 0; counter < COUNTERS_MAX; counter++) {
        uint64_t expected = counter == COUNTER_sends ? (UINT64_C(1) << 40) + 3 : counter == COUNTER_channels ? 3 : 0;
        cr_expect_eq(counter_get(&counters, counter), expected, "%s", counter_name(counter));
    }
}

Test(counters, a_gauge_that_rose_on_one_shard_and_fell_on_another_is_right_in_the_sum, .timeout = 5)
{
    static struct counters shards[3];
    const struct counters *const sets[] = {&shards[0], &shards[1], &shards[2]};
    counter_add(&shards[0], COUNTER_messages_live, 10);
    counter_subtract(&shards[2], COUNTER_messages_live, 4);
    cr_expect_eq(counters_sum(sets, 3, COUNTER_messages_live), 6);
    cr_expect_eq(counters_sum(sets, 1, COUNTER_messages_live), 10);
    cr_expect_eq(counters_sum(sets + 1, 2, COUNTER_messages_live), 0, "below zero reads as zero");
    cr_expect_eq(counters_sum(sets, 0, COUNTER_messages_live), 0);
}

Test(counters, a_count_above_the_signed_range_is_not_taken_for_negative, .timeout = 5)
{
    static struct counters shard;
    const struct counters *const sets[] = {&shard};
    counter_add(&shard, COUNTER_bytes_sent, UINT64_MAX);
    cr_expect_eq(counters_sum(sets, 1, COUNTER_bytes_sent), UINT64_MAX);
}

Test(counters, neighbours_share_no_pair_of_cache_lines, .timeout = 5)
{
    static struct counters shards[2];
    cr_expect_eq((uintptr_t)&shards[0] % 128, 0);
    cr_expect_eq((uintptr_t)&shards[1] % 128, 0);
}

static bool ends_in(const char *name, const char *end)
{
    size_t name_bytes = strlen(name), end_bytes = strlen(end);
    return name_bytes > end_bytes && strcmp(name + name_bytes - end_bytes, end) == 0;
}

static void check_metric(const struct counter_metric *metric, const char *text)
{
    bool has_bytes = metric->unit == COUNTER_UNIT_BYTES;
    bool has_seconds = metric->unit == COUNTER_UNIT_SECONDS || metric->unit == COUNTER_UNIT_MS;
    for (const char *at = metric->name; *at != '\0'; at++)
        cr_expect(islower((unsigned char)*at) || *at == '_', "%s", metric->name);
    cr_expect_not(ends_in(metric->name, "_total"), "%s: that is put behind it", metric->name);
    cr_expect_eq(ends_in(metric->name, "_bytes"), has_bytes, "%s", metric->name);
    cr_expect_eq(ends_in(metric->name, "_seconds"), has_seconds, "%s", metric->name);
    cr_expect_null(strpbrk(text, "\"\\\n"), "%s: nothing to escape", text);
}

Test(counters, a_metric_has_a_name_of_its_own_that_ends_in_its_unit, .timeout = 5)
{
    for (enum counter counter = 0; counter < COUNTER_CLOSED; counter++) {
        struct counter_metric metric = counter_metric(counter);
        cr_expect_null(metric.label);
        if (metric.name[0] == '\0') continue; /* it is not told */
        check_metric(&metric, counter_text(counter));
        for (enum counter other = 0; other < counter; other++)
            cr_expect_str_neq(metric.name, counter_metric(other).name);
    }
    for (enum histogram_kind kind = 0; kind < HISTOGRAMS_MAX; kind++) {
        struct counter_metric metric = histogram_metric(kind);
        check_metric(&metric, histogram_text(kind));
        cr_expect_eq(metric.unit, COUNTER_UNIT_SECONDS);
        cr_expect_neq(histogram_name(kind)[0], '\0');
    }
}

Test(counters, why_connections_are_closed_is_a_label, .timeout = 5)
{
    for (enum close_reason reason = 0; reason < CLOSE_REASONS_MAX; reason++) {
        struct counter_metric metric = counter_metric(counter_of_close(reason));
        cr_expect_str_eq(metric.name, "connections_closed");
        cr_expect_eq(strncasecmp(metric.label, "reason=\"", 8), 0);
        cr_expect_eq(strncasecmp(metric.label + 8, close_reason_name(reason), strlen(close_reason_name(reason))), 0);
    }
    cr_expect_str_eq(counter_metric(counter_of_close(CLOSE_PEER_GONE)).label, "reason=\"peer_gone\"");
}

Test(counters, all_sets_of_a_server_are_summed, .timeout = 5)
{
    static struct counters one, other;
    static struct counter_sets sets;
    counter_sets_add(&sets, &one);
    counter_sets_add(&sets, &other);
    counter_add(&one, COUNTER_sends, 2);
    counter_add(&other, COUNTER_sends, 3);
    histogram_record(&one.histograms[HISTOGRAM_turn], 100);
    histogram_record(&other.histograms[HISTOGRAM_turn], 100);
    histogram_record(&other.histograms[HISTOGRAM_ping], 100);
    struct histogram turns = counter_sets_histogram(&sets, HISTOGRAM_turn);
    cr_expect_eq(counter_sets_sum(&sets, COUNTER_sends), 5);
    cr_expect_eq(histogram_count(&turns), 2);
}

Test(counters, a_gauge_may_be_set, .timeout = 5)
{
    struct counters counters = {0};
    counter_set(&counters, COUNTER_channels, 7);
    counter_set(&counters, COUNTER_channels, 3);
    cr_expect_eq(counter_get(&counters, COUNTER_channels), 3);
}
