/* tests/core/test_traffic.c - rates of what comes evenly, in bursts, and no more. */
#include "core/traffic.h"

#include <criterion/criterion.h>

static uint64_t rate_of(struct traffic *traffic, uint64_t now_ms, uint64_t *bytes_r)
{
    uint64_t messages;
    traffic_rates(traffic, now_ms, &messages, bytes_r);
    return messages;
}

Test(traffic, that_comes_evenly_has_its_rate_at_any_time, .timeout = 10)
{
    struct traffic traffic = {0};
    uint64_t bytes;
    for (uint64_t ms = 1000; ms < 100000; ms += 10) { /* a hundred a second, of 50 bytes */
        traffic_count(&traffic, ms, 50);
        if (ms < 1000 + 2 * TRAFFIC_MS) continue;
        uint64_t messages = rate_of(&traffic, ms, &bytes);
        cr_assert(messages > 99000 && messages < 101000, "%lu at %lu", messages, ms);
        cr_assert(bytes > 4950000 && bytes < 5050000, "%lu at %lu", bytes, ms);
    }
}

Test(traffic, that_has_ended_is_forgotten_after_two_windows, .timeout = 10)
{
    struct traffic traffic = {0};
    uint64_t bytes;
    traffic_count(&traffic, 3 * TRAFFIC_MS + 5, 1000);
    cr_expect_gt(rate_of(&traffic, 3 * TRAFFIC_MS + 6, &bytes), 0);
    cr_expect_gt(rate_of(&traffic, 4 * TRAFFIC_MS + 6, &bytes), 0);
    cr_expect_gt(bytes, 0);
    cr_expect_eq(rate_of(&traffic, 5 * TRAFFIC_MS, &bytes), 0);
    cr_expect_eq(bytes, 0);
    traffic_count(&traffic, 6 * TRAFFIC_MS, 1);
    cr_expect_eq(rate_of(&traffic, 60 * TRAFFIC_MS, &bytes), 0, "long after");
}
