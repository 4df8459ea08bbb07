/* tests/core/trim_heap.c - core/trim.c upon the C library's own heap: what a burst has left goes back to the kernel,
 * burst after burst, and what is in use between the holes stays as it is.
 *
 * A program of its own without sanitizers, which have another malloc. In a thread, whose arena is no shrinking heap. */
#include "core/trim.h"
#include "tests/support/anonymous.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS   1500
#define PARTS      4
#define STEPS_MAX  20000
#define BURST_KIB  46080 /* SESSIONS of about 33 KB, less what is above 45 MiB */
#define REMAIN_KIB 9216  /* a fifth of it: edges of holes, and what is in use between them */

static const size_t part_bytes[PARTS] = {16717, 16717, 900, 120};

/* What a session of TLS has; the smallest part outlives the burst. */
static unsigned char *parts[SESSIONS][PARTS];
static int failures;

static void expect(int is_true, const char *what, size_t figure)
{
    if (is_true) return;
    fprintf(stderr, "trim_heap: %s: %zu\n", what, figure);
    failures++;
}

static unsigned char mark(size_t session, size_t part)
{
    return (unsigned char)(session * 7 + part + 1);
}

static void fill(void)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        for (size_t k = 0; k < PARTS; k++) {
            parts[i][k] = malloc(part_bytes[k]);
            if (parts[i][k] == NULL) abort();
            memset(parts[i][k], mark(i, k), part_bytes[k]);
        }
    }
}

static void free_parts(size_t first, size_t end)
{
    for (size_t i = 0; i < SESSIONS; i++) {
        for (size_t k = first; k < end; k++) {
            free(parts[i][k]);
        }
    }
}

static size_t count_changed(void)
{
    size_t changed = 0;
    for (size_t i = 0; i < SESSIONS; i++) {
        for (size_t at = 0; at < part_bytes[PARTS - 1]; at++) {
            changed += parts[i][PARTS - 1][at] != mark(i, PARTS - 1);
        }
    }
    return changed;
}

static void run_pass(void)
{
    struct trim trim = {0};
    size_t steps = 1;
    while (trim_step(&trim) && steps < STEPS_MAX) {
        steps++;
    }
    expect(!trim_is_under_way(&trim), "a pass does not end", steps);
}

static void *run(void *nothing)
{
    size_t before = anonymous_kib();
    for (int burst = 0; burst < 3; burst++) {
        fill();
        size_t full = anonymous_kib();
        expect(full > before + BURST_KIB, "the burst is too small to see", full);
        free_parts(0, PARTS - 1);
        size_t freed = anonymous_kib();
        expect(freed > before + BURST_KIB - BURST_KIB / 8, "malloc gives back by itself: is this test needed?",
               freed);
        run_pass();
        size_t after = anonymous_kib();
        expect(after < before + REMAIN_KIB, "KiB remain after a pass", after);
        expect(count_changed() == 0, "bytes in use were changed", count_changed());
        free_parts(PARTS - 1, PARTS);
    }
    struct trim trim = {0};
    trim_step(&trim);
    expect(trim_is_under_way(&trim), "a pass of one step", 1);
    trim_cut(&trim);
    expect(!trim_step(&trim), "a pass cut short goes on", 1);
    trim_step(&trim);
    trim_end(&trim);
    expect(!trim_is_under_way(&trim), "a pass given up goes on", 1);
    return nothing;
}

int main(void)
{
    pthread_t thread;
    trim_prepare();
    if (pthread_create(&thread, NULL, run, NULL) != 0 || pthread_join(thread, NULL) != 0) abort();
    return failures > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
