/* tests/server/system/test_day_clock.c - a clock that is set, drifts and leaps, and what is believed of it. The
 * machine's clocks are the test's own. */
#include "server/system/day_clock.h"

#include "tests/support/own_clock.h"

#include <criterion/criterion.h>

#define MINUTE_MS UINT64_C(60000)
#define YEAR_MS   (UINT64_C(365) * 24 * 60 * MINUTE_MS)

Test(day_clock, goes_with_the_machines, .timeout = 30)
{
    struct day_clock clock = {0};
    for (int i = 0; i < 100; i++) {
        cr_expect_eq(day_clock_ms(&clock, now_ms), day_ms);
        pass_ms(MINUTE_MS);
        day_ms += i % 2 ? 30000 : -20000; /* it is set a little */
    }
}

Test(day_clock, does_not_believe_a_leap_that_is_over_soon, .timeout = 30)
{
    const int64_t leaps[] = {(int64_t)YEAR_MS, -(int64_t)YEAR_MS, 61000, -61000};
    for (int i = 0; i < 4; i++) {
        struct day_clock clock = {0};
        uint64_t began_ms = day_clock_ms(&clock, now_ms);
        day_ms += (uint64_t)leaps[i];
        for (int k = 0; k < 10; k++) {
            cr_expect_eq(day_clock_ms(&clock, now_ms), began_ms + 990 * (uint64_t)k);
            pass_ms(990);
        }
        day_ms -= (uint64_t)leaps[i];
        cr_expect_eq(day_clock_ms(&clock, now_ms), day_ms);
        pass_ms(YEAR_MS);
        day_ms += (uint64_t)leaps[i]; /* once more, and nobody has looked meanwhile */
        cr_expect_eq(day_clock_ms(&clock, now_ms), day_ms - (uint64_t)leaps[i]);
        day_ms -= (uint64_t)leaps[i];
    }
}

Test(day_clock, believes_what_lasts, .timeout = 30)
{
    struct day_clock clock = {0};
    day_clock_ms(&clock, now_ms);
    day_ms += YEAR_MS;
    cr_expect_eq(day_clock_ms(&clock, now_ms), day_ms - YEAR_MS);
    pass_ms(9999);
    cr_expect_eq(day_clock_ms(&clock, now_ms), day_ms - YEAR_MS);
    day_ms += 1000; /* it still drifts */
    pass_ms(1);
    cr_expect_eq(day_clock_ms(&clock, now_ms), day_ms);
    day_ms -= YEAR_MS;
    cr_expect_eq(day_clock_ms(&clock, now_ms), day_ms + YEAR_MS, "and it was set by mistake");
    pass_ms(10000);
    cr_expect_eq(day_clock_ms(&clock, now_ms), day_ms);
}

Test(day_clock, a_leap_from_one_wrong_time_to_another_begins_anew, .timeout = 30)
{
    struct day_clock clock = {0};
    uint64_t began_ms = day_clock_ms(&clock, now_ms);
    for (uint64_t i = 0; i < 20; i++) {
        day_ms += YEAR_MS;
        cr_expect_eq(day_clock_ms(&clock, now_ms), began_ms + 9000 * i);
        pass_ms(9000);
    }
}

/* Goal: a clock that was set forward by mistake, and back within the hour, has forgotten nothing. */
Test(day_clock, forgets_nothing_for_an_hour_after_a_leap_forward, .timeout = 30)
{
    struct day_clock clock = {0};
    cr_expect_eq(day_clock_forget_ms(&clock, now_ms), day_ms);
    for (int round = 0; round < 2; round++) {
        day_ms += YEAR_MS;
        for (uint64_t passed = 0; passed < 55 * MINUTE_MS; passed += MINUTE_MS) {
            cr_expect_eq(day_clock_forget_ms(&clock, now_ms), day_ms - YEAR_MS);
            pass_ms(MINUTE_MS);
        }
        cr_expect_eq(day_clock_ms(&clock, now_ms), day_ms, "messages are stamped with it");
        day_ms -= YEAR_MS;
        cr_expect_leq(day_clock_forget_ms(&clock, now_ms), day_ms);
        pass_ms(10000);
        cr_expect_eq(day_clock_forget_ms(&clock, now_ms), day_ms, "set right");
    }
    day_ms += YEAR_MS;
    for (uint64_t passed = 0; passed < 62 * MINUTE_MS; passed += MINUTE_MS) {
        day_clock_forget_ms(&clock, now_ms);
        pass_ms(MINUTE_MS);
    }
    cr_expect_eq(day_clock_forget_ms(&clock, now_ms), day_ms, "it has stayed");
    day_ms -= YEAR_MS;
    day_clock_forget_ms(&clock, now_ms);
    pass_ms(10000);
    cr_expect_eq(day_clock_forget_ms(&clock, now_ms), day_ms, "back it goes at once");
}

/* Goal: nor by one that is right again when somebody looks after the hour. */
Test(day_clock, forgets_nothing_by_a_clock_that_was_set_right_unseen, .timeout = 30)
{
    struct day_clock clock = {0};
    day_clock_forget_ms(&clock, now_ms);
    day_ms += YEAR_MS;
    day_clock_forget_ms(&clock, now_ms);
    pass_ms(10000);
    day_clock_forget_ms(&clock, now_ms);
    cr_expect_eq(day_clock_ms(&clock, now_ms), day_ms, "it is believed");
    pass_ms(30 * MINUTE_MS);
    day_ms -= YEAR_MS;
    pass_ms(90 * MINUTE_MS);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(day_clock_forget_ms(&clock, now_ms), day_ms);
        pass_ms(10000);
    }
}
