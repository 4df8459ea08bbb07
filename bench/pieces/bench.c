/* bench/pieces/bench.c - ringcast-bench: options, repeats, medians. */
#include "bench/pieces/bench.h"

#include "bench/clock.h"
#include "core/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#define REPEATS       7
#define REPEATS_SMOKE 2 /* enough to compare hashes */
#define SMOKE_DIVISOR 1000

static const struct {
    const char *name;
    void (*run)(struct bench *bench);
} files[] = {{"mailbox", bench_mailbox},     {"frame", bench_frame},   {"utf8", bench_utf8},
             {"json_text", bench_json_text}, {"encode", bench_encode}, {"presence", bench_presence},
             {"fan_out", bench_fan_out},     {"flush", bench_flush},   {"tls", bench_tls}};

#define FILES_MAX (sizeof files / sizeof files[0])

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
    uint64_t times_ns[REPEATS], first_hash = 0;
    int repeats = bench->is_smoke ? REPEATS_SMOKE : REPEATS;
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

/* ---- the program ---- */

static void print_help(void)
{
    printf("ringcast-bench [--smoke] [NAME...]\n\n"
           "Measures the hot pieces of ringcast in this process: the median of %d runs each, from a fixed seed. A\n"
           "NAME is the beginning of a piece's name, \"fan_out/1000/\" or one of these:",
           REPEATS);
    for (size_t i = 0; i < FILES_MAX; i++) {
        printf(" %s", files[i].name);
    }
    printf(
        "\n--smoke does a thousandth of the work: it shows that all still run, not how fast. Exit status 1: a piece\n"
        "failed, or no piece has such a name.\n");
}

static void print_machine(const struct bench *bench)
{
    char line[256], model[256] = "unknown CPU";
    struct utsname system;
    uname(&system);
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "model name : %255[^\n]", model) == 1) break;
    }
    if (file != NULL) fclose(file);
    printf("ringcast %s on %s, kernel %s%s\n", RINGCAST_VERSION, model, system.release,
           bench->is_smoke ? "; smoke: the times mean nothing" : "");
    printf("%-24s %12s %12s %10s %10s  %s\n", "piece", "operations", "ns each", "bytes each", "ns/byte", "hash");
}

int main(int argc, char **argv)
{
    int first = 1;
    struct bench bench = {0};
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        print_help();
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--smoke") == 0) {
        bench.is_smoke = true;
        first = 2;
    }
    bench.names = (const char *const *)argv + first;
    bench.names_count = argc - first;
    name_set_key(1, 2); /* fixed, as all that decides what is done */
    print_machine(&bench);
    for (size_t i = 0; i < FILES_MAX; i++) {
        files[i].run(&bench);
    }
    if (bench.pieces == 0) fprintf(stderr, "ringcast-bench: no piece has such a name: without one all are run\n");
    return bench.failures > 0 || bench.pieces == 0;
}
