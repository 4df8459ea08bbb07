/* tests/support/scarce.c - malloc() and its kin, which fail when they are told to. */
#include "tests/support/scarce.h"

#include <stdlib.h>

void *__real_malloc(size_t count);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t count);
void *__wrap_malloc(size_t count);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t count);

/* Changed while no shard runs; 0: none fails. */
static uint32_t fails_one_in;
uint32_t scarce_failures;

static bool fails(void)
{
    if (fails_one_in == 0 || fake_random(fails_one_in) > 0) return false;
    scarce_failures++;
    return true;
}

void *__wrap_malloc(size_t count)
{
    return fails() ? NULL : __real_malloc(count);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t count)
{
    return fails() ? NULL : __real_realloc(memory, count);
}

void scarce_steps(struct scenario *scenario, uint32_t count, uint32_t one_in)
{
    for (; count > 0; count--) {
        fails_one_in = one_in;
        fake_kernel_step(fake_now_ms());
        fails_one_in = 0;
        client_read(&scenario->clients[fake_random(scenario->clients_count)]);
    }
}
