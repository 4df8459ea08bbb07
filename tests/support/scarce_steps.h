/* tests/support/scarce_steps.h - a scenario's server that finds no memory now and then (tests/support/scarce.h). */
#pragma once

#include "tests/support/scarce.h"
#include "tests/support/scenario.h"

/* Steps in which of the server's allocations, not the clients', about one in `one_in` fails, by the seed. */
void scarce_steps(struct scenario *scenario, uint32_t count, uint32_t one_in);
