/* bench/pieces/bench.h - the harness of ringcast-bench: measures one piece at a time in this process.
 *
 * A piece is a function that does a fixed amount of work from a fixed seed and returns a hash of what it found. It
 * runs several times; the median time is told, and every run must return the same hash: a piece that was optimised
 * away, or works differently each time, does not pass. --smoke makes the work tiny, so that every test run runs it.
 */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

#define BENCH_REPEATS 7

struct bench {
    bool is_smoke;
    const char *const *names; /* prefixes of the pieces asked for */
    int names_count;          /* 0: all */
    int pieces;               /* measured */
    int failures;
};

struct bench_piece {
    const char *name; /* "mailbox/two_threads" */
    uint64_t operations;
    uint64_t bytes; /* handled by all operations; 0: the piece is not about bytes */
    uint64_t (*run)(void *context);
    void *context;
    const uint64_t *spent_ns; /* NULL: the whole run is told; else what the run itself counted into here */
};

/* Was this piece asked for? Spares the set-up of those that were not. */
bool bench_wants(const struct bench *bench, const char *name);
/* As many as `full`, but few when smoking. */
uint64_t bench_size(const struct bench *bench, uint64_t full);
/* Runs, prints a line. */
void bench_measure(struct bench *bench, const struct bench_piece *piece);
/* A piece cannot be set up: says so and counts a failure. */
void bench_unable(struct bench *bench, const char *name, enum rc rc);

/* The next number of a sequence (SplitMix64); *state begins as any seed. */
uint64_t bench_random(uint64_t *state);
/* A hash with one more value in it. */
uint64_t bench_mix(uint64_t hash, uint64_t value);
