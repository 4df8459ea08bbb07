/* tests/support/leaks.h - has a test given back all memory? Criterion's processes end without the leak checker, so a
 * test asks. */
#pragma once

#include <criterion/criterion.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

/* Nothing was allocated that nobody can find any more; without a sanitizer it is not known. */
static inline void expect_no_leaks(void)
{
#ifdef __SANITIZE_ADDRESS__
    cr_expect_eq(__lsan_do_recoverable_leak_check(), 0, "memory was lost");
#endif
}
