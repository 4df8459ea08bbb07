/* server/cluster/backoff.h - how long to wait before trying again what failed.
 *
 * Full jitter: any time up to a bound that doubles with each failure, so that all nodes of a Redis that is back do not
 * come at once. Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
#pragma once

#include <stdint.h>

enum {
    BACKOFF_MS_MIN = 50, /* the bound after the first failure */
    BACKOFF_MS_MAX = 2000,
};

/* Milliseconds, 1 to BACKOFF_MS_MAX; `failures` in a row, at least one. `chance` is any random number. */
uint32_t backoff_ms(uint32_t failures, uint64_t chance);
