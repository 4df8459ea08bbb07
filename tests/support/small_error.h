/* tests/support/small_error.h - an error of options_read() in less space than it needs. */
#pragma once

#include "server/config/options_read.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* Of these words, which are wrong, in each space below `most`. */
static inline void expect_error_fits(int argc, const char *argv[], size_t most)
{
    for (size_t size = 1; size < most; size++) {
        struct options options;
        char *small = malloc(size); /* the sanitizer watches its end */
        cr_assert(small != NULL);
        cr_expect_eq(options_read(&options, argc, (char *const *)argv, NULL, small, size), RC_EINVAL);
        cr_expect_lt(strlen(small), size);
        free(small);
    }
}
