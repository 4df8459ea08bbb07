/* tests/support/sized.h - how much a test does. RINGCAST_LONG=1 in the environment, which `deploy/test --long` sets,
 * has it do its full size; tests/e2e/support.mjs has the same for tests in JavaScript. A test of Criterion also needs
 * a `.timeout` that its full size fits into. */
#pragma once

#include <stdlib.h>
#include <string.h>

/* `usual` in each run of the tests, `full` in the long one. */
static inline unsigned long sized(unsigned long usual, unsigned long full)
{
    const char *value = getenv("RINGCAST_LONG");
    return value != NULL && strcmp(value, "1") == 0 ? full : usual;
}
