/* bench/pieces/main.c - ringcast-bench: which pieces there are, options, and the machine they run on. */
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "core/name.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static const struct {
    const char *name;
    void (*run)(struct bench *bench);
} files[] = {{"mailbox", bench_mailbox},     {"frame", bench_frame},   {"utf8", bench_utf8},
             {"json_text", bench_json_text}, {"encode", bench_encode}, {"presence", bench_presence},
             {"fan_out", bench_fan_out},     {"flush", bench_flush},   {"metrics", bench_metrics},
             {"cluster", bench_cluster},     {"aead", bench_aead},     {"tls", bench_tls}};

#define FILES_MAX (sizeof files / sizeof files[0])

static void print_help(void)
{
    printf("ringcast-bench [--smoke] [NAME...]\n\n"
           "Measures the hot pieces of ringcast in this process: the median of %d runs each, from a fixed seed. A\n"
           "NAME is the beginning of a piece's name, \"fan_out/1000/\" or one of these:",
           BENCH_REPEATS);
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
