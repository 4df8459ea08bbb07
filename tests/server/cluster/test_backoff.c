/* tests/server/cluster/test_backoff.c - the bound doubles, and any time up to it may come out. */
#include "server/cluster/backoff.h"

#include <criterion/criterion.h>

Test(backoff, doubles_its_bound_up_to_two_seconds, .timeout = 10)
{
    static const uint32_t bounds[] = {50, 100, 200, 400, 800, 1600, 2000, 2000};
    for (uint32_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        cr_expect_eq(backoff_ms(i + 1, bounds[i] - 1), bounds[i]);
        cr_expect_eq(backoff_ms(i + 1, bounds[i]), 1);
    }
    cr_expect_eq(backoff_ms(UINT32_MAX, 1999), 2000);
}

Test(backoff, is_spread_over_all_of_it, .timeout = 10)
{
    uint32_t quarters[4] = {0};
    uint64_t chance = 1;
    for (uint32_t i = 0; i < 4000; i++) {
        chance = chance * 6364136223846793005 + 1442695040888963407;
        uint32_t ms = backoff_ms(10, chance >> 20);
        cr_assert(ms >= 1 && ms <= BACKOFF_MS_MAX);
        quarters[(ms - 1) / 500]++;
    }
    for (uint32_t i = 0; i < 4; i++)
        cr_expect(quarters[i] > 800 && quarters[i] < 1200, "%u: %u", i, quarters[i]);
}
