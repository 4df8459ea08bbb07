/* bench/pieces/bench.c - repeats, medians, results. */
#include "bench/pieces/bench.h"

#include "bench/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEATS_SMOKE 2 /* enough to compare hashes */
#define SMOKE_DIVISOR 1000

uint64_t bench_random(uint64_t *state)
{
    uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t bench_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 29;
}

bool bench_wants(const struct bench *bench, const char *name)
{
    for (int i = 0; i < bench->names_count; i++) {
        if (strncmp(name, bench->names[i], strlen(bench->names[i])) == 0) return true;
    }
    return bench->names_count == 0;
}

uint64_t bench_size(const struct bench *bench, uint64_t full)
{
    if (!bench->is_smoke) return full;
    return full > SMOKE_DIVISOR ? full / SMOKE_DIVISOR : 1;
}

void bench_unable(struct bench *bench, const char *name, enum rc rc)
{
    fprintf(stderr, "ringcast-bench: %s: %s\n", name, rc_text(rc));
    bench->failures++;
}

/* ---- one piece ---- */

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void print_result(const struct bench_piece *piece, double ns, uint64_t hash)
{
    printf("%-24s %12" PRIu64 " %12.2f", piece->name, piece->operations, ns / (double)piece->operations);
    if (piece->bytes > 0) {
        printf(" %10.0f %10.4f", (double)piece->bytes / (double)piece->operations, ns / (double)piece->bytes);
    } else {
        printf(" %10s %10s", "-", "-");
    }
    printf("  %016" PRIx64 "\n", hash);
    fflush(stdout);
}

void bench_measure(struct bench *bench, const struct bench_piece *piece)
{
    uint64_t times_ns[BENCH_REPEATS], first_hash = 0;
    int repeats = bench->is_smoke ? REPEATS_SMOKE : BENCH_REPEATS;
    bench->pieces++;
    for (int i = 0; i < repeats; i++) {
        uint64_t begun_ns = clock_ns();
        uint64_t hash = piece->run(piece->context);
        times_ns[i] = piece->spent_ns != NULL ? *piece->spent_ns : clock_ns() - begun_ns;
        if (i == 0) first_hash = hash;
        if (hash == first_hash) continue;
        fprintf(stderr, "ringcast-bench: %s: the same work gave another result\n", piece->name);
        bench->failures++;
        return;
    }
    qsort(times_ns, (size_t)repeats, sizeof times_ns[0], compare);
    print_result(piece, (double)times_ns[repeats / 2], first_hash);
}
