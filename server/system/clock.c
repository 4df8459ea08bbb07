/* server/system/clock.c - the kernel's clocks; alone in its file, so that tests can put their own in its place. */
#include "server/system/clock.h"

#include <time.h>

static uint64_t read_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t monotonic_ms(void)
{
    return read_us(CLOCK_MONOTONIC) / 1000;
}

uint64_t monotonic_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t realtime_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000;
}
