/* tests/support/own_clock.h - clocks that stand still until a test lets time pass, in place of server/system/clock.c.
 * Included by one file of a program. */
#pragma once

#include "server/system/clock.h"

#define OWN_CLOCK_DAY_MS UINT64_C(1700000000000) /* the time of day at the beginning, */
#define OWN_CLOCK_NOW_MS UINT64_C(5000)          /* and the other clock */

static uint64_t now_ms = OWN_CLOCK_NOW_MS;
static uint64_t day_ms = OWN_CLOCK_DAY_MS; /* may be set to anything */

uint64_t monotonic_ms(void)
{
    return now_ms;
}

uint64_t monotonic_us(void)
{
    return now_ms * 1000;
}

uint64_t realtime_ms(void)
{
    return day_ms;
}

static inline void pass_ms(uint64_t ms)
{
    now_ms += ms;
    day_ms += ms;
}
