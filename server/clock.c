/* server/clock.c - the kernel's monotonic clock; alone in its file, so that tests can put their own in its place. */
#include "server/clock.h"

#include <time.h>

uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
