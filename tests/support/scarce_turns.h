/* tests/support/scarce_turns.h - which allocation fails (tests/support/scarce.h): the n-th, for each n in turn, or some
 * by a seed. Included once in a program. */
#pragma once

#include "tests/support/scarce.h"

static uint32_t fails_at; /* the allocation that fails, counted from 1; */
static uint32_t allocations;
static uint64_t seed; /* or, if it is set, some by chance */

/* For scarce_chance. */
static uint32_t chance(uint32_t below)
{
    allocations++;
    if (seed == 0) return allocations == fails_at ? 0 : 1;
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % below;
}

/* Plays the scene with one allocation failing, each in its turn, until none is left. How many have failed. */
static uint32_t play_each(void (*scene)(void))
{
    uint32_t failures = 0;
    fails_at = 0;
    do {
        fails_at++;
        allocations = 0;
        scarce_failures = 0;
        scene();
        failures += scarce_failures;
    } while (scarce_failures > 0);
    return failures;
}
