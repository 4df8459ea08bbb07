/* tests/fuzz/fuzz.h - what every fuzzer offers, and help for cutting an input into slices.
 *
 * With clang, libFuzzer calls LLVMFuzzerTestOneInput; elsewhere tests/fuzz/replay.c calls it with every seed. */
#pragma once

#include "core/bytes.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Stays in every build, unlike assert, and says so in the words of the claim. */
#define FUZZ_CHECK(claim)                                                       \
    do {                                                                        \
        if (!(claim)) {                                                         \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim); \
            abort();                                                            \
        }                                                                       \
    } while (0)

/* Reads one input; aborts or trips a sanitizer when something is wrong with us. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count);

/* A block of its own with `count` bytes of `from`, so that the sanitizer sees a read behind them. Free slice.at. */
static inline struct bytes fuzz_slice(const uint8_t *from, size_t count)
{
    uint8_t *slice = malloc(count > 0 ? count : 1);
    if (slice == NULL) abort();
    if (count > 0) memcpy(slice, from, count);
    return bytes_of(slice, count);
}

/* How long the next slice is, 1 to 16 bytes and no more than are left: a plain walk through residues of a prime. */
static inline size_t fuzz_slice_bytes(uint32_t *state, size_t left)
{
    *state = *state * 75 % 65537;
    size_t count = *state % 16 + 1;
    return count < left ? count : left;
}
