/* tests/support/scarce.c - in place of the library's calls. */
#include "tests/support/scarce.h"

#include <stdlib.h>

void *__real_malloc(size_t count);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t count);
void *__wrap_malloc(size_t count);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t count);

uint32_t scarce_one_in;
uint32_t (*scarce_chance)(uint32_t below);
uint32_t scarce_failures;

bool scarce_fails(void)
{
    if (scarce_one_in == 0 || scarce_chance(scarce_one_in) > 0) return false;
    scarce_failures++;
    return true;
}

void *__wrap_malloc(size_t count)
{
    return scarce_fails() ? NULL : __real_malloc(count);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return scarce_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t count)
{
    return scarce_fails() ? NULL : __real_realloc(memory, count);
}
