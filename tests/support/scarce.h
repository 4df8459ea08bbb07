/* tests/support/scarce.h - a scenario's server that finds no memory now and then.
 *
 * The program is linked with --wrap for malloc, calloc and realloc, which concerns its own objects and static
 * libraries; what the fake kernel itself needs it gets by reallocarray(), which is not wrapped, and what shared
 * libraries need they get. */
#pragma once

#include "tests/support/scenario.h"

/* Steps in which of the server's allocations, not the clients', about one in `one_in` fails, by the seed. */
void scarce_steps(struct scenario *scenario, uint32_t count, uint32_t one_in);

/* How many have failed. */
extern uint32_t scarce_failures;
