/* tests/support/scarce.h - malloc() and its kin, which fail when they are told to.
 *
 * The program is linked with --wrap for malloc, calloc and realloc, which concerns its own objects and static
 * libraries; what must not fail is got by reallocarray(), which is not wrapped, and what shared libraries need they
 * get. One thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* About one in so many fails; 0: none. Changed while nobody allocates. */
extern uint32_t scarce_one_in;
/* Whose chance it is: a number below `below`. */
extern uint32_t (*scarce_chance)(uint32_t below);
/* How many have failed. */
extern uint32_t scarce_failures;

/* Is this one to fail? For allocators that are not wrapped. */
bool scarce_fails(void);
