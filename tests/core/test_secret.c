/* tests/core/test_secret.c - blocks for secrets: zeroed, aligned, of any size, and in no core dump. */
#include "core/secret.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "dd": taken out of core dumps, proc(5). */
static bool is_dumped(const void *memory)
{
    char line[1024];
    bool is_here = false, is_hidden = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    while (fgets(line, sizeof line, file) != NULL) {
        uintptr_t from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) is_here = (uintptr_t)memory >= from && (uintptr_t)memory < to;
        if (is_here && strncmp(line, "VmFlags:", 8) == 0) is_hidden = strstr(line, " dd") != NULL;
    }
    fclose(file);
    return !is_hidden;
}

Test(secret, blocks_are_zeroed_and_stand_in_no_core_dump, .timeout = 10)
{
    static const size_t sizes[] = {0, 1, 4000, 4096, 6000, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t *secret = secret_new(sizes[i]);
        cr_assert_not_null(secret);
        cr_expect_eq((uintptr_t)secret % 16, 0);
        for (size_t j = 0; j < sizes[i]; j++)
            cr_assert_eq(secret[j], 0);
        memset(secret, 1, sizes[i]);
        cr_expect(!is_dumped(secret), "%zu", sizes[i]);
        if (sizes[i] > 0) cr_expect(!is_dumped(secret + sizes[i] - 1), "%zu", sizes[i]);
        secret_free(secret);
    }
    secret_free(NULL);
}

Test(secret, what_nobody_can_give_is_no_memory, .timeout = 10)
{
    cr_expect_null(secret_new(SIZE_MAX));
    cr_expect_null(secret_new(SIZE_MAX / 2));
}

Test(secret, memory_of_others_can_be_hidden, .timeout = 10)
{
    enum { BYTES = 100000 };
    uint8_t *memory = calloc(1, BYTES);
    cr_assert(is_dumped(memory + BYTES / 2));
    secret_hide(memory + BYTES / 2, 40);
    cr_expect(!is_dumped(memory + BYTES / 2));
    cr_expect(!is_dumped(memory + BYTES / 2 + 39));
    cr_expect(is_dumped(memory + BYTES / 2 + 3 * 4096), "and no more than its pages");
    secret_hide(NULL, 10);
    secret_hide(memory, 0);
    cr_expect(is_dumped(memory));
    free(memory);
}
