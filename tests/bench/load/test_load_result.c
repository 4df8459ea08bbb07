/* tests/bench/load/test_load_result.c - a result is read as it was written, several are one,
 * what is no result is refused. */
#include "bench/load/load_result.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Other figures for another seed. */
static struct load_result result_of(uint64_t seed)
{
    struct load_result result = {0};
    uint64_t value = seed;
#define FILL(type, name, joined) result.name = (type)(value += 7);
    LOAD_FIELDS(FILL)
#undef FILL
    result.processes = 1;
    result.status = LOAD_OK;
    for (uint32_t second = 0; second < 3; second++) {
        struct series_point point = {.sent = seed};
        for (uint64_t i = 1; i <= 100; i++) {
            histogram_record(&point.latency, i * i * seed);
        }
        cr_assert_eq(series_add(&result.series, second, &point), RC_OK);
    }
    return result;
}

static void make_path(char path[64])
{
    snprintf(path, 64, "/tmp/ringcast-test-XXXXXX");
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    close(file);
}

Test(load_result, is_read_as_it_was_written, .timeout = 10)
{
    char path[64], error[LOAD_ERROR_BYTES] = "";
    make_path(path);
    struct load_result written = result_of(1000), read;
    written.status = LOAD_OFFENCE;
    snprintf(written.failure, sizeof written.failure, "connection 5 got it twice");
    cr_assert_eq(load_result_save(&written, path, error), RC_OK, "%s", error);
    cr_assert_eq(load_result_read(&read, path, error), RC_OK, "%s", error);
#define COMPARE(type, name, joined) cr_expect_eq(read.name, written.name, #name);
    LOAD_FIELDS(COMPARE)
#undef COMPARE
    cr_expect_str_eq(read.failure, written.failure);
    cr_assert_eq(read.series.count, written.series.count);
    cr_expect_eq(memcmp(read.series.points, written.series.points, read.series.count * sizeof read.series.points[0]),
                 0);
    load_result_fini(&written);
    load_result_fini(&read);
    unlink(path);
}

Test(load_result, two_are_one_whatever_their_order, .timeout = 10)
{
    struct load_result whole[2];
    for (int order = 0; order < 2; order++) {
        struct load_result parts[2] = {result_of(1000), result_of(2000)};
        parts[0].begun_ms = 50000;
        parts[1].begun_ms = 52100; /* two seconds later */
        parts[1].status = LOAD_OFFENCE;
        snprintf(parts[1].failure, sizeof parts[1].failure, "lost");
        whole[order] = (struct load_result){0};
        cr_assert_eq(load_result_join(&whole[order], &parts[order]), RC_OK);
        cr_assert_eq(load_result_join(&whole[order], &parts[!order]), RC_OK);
        cr_expect_eq(whole[order].begun_ms, 50000);
        cr_expect_eq(whole[order].processes, 2);
        cr_expect_eq(whole[order].connections, parts[0].connections + parts[1].connections);
        cr_expect_eq(whole[order].server_cpu_ns, parts[1].server_cpu_ns, "both have looked at the same server");
        cr_expect_eq(whole[order].status, LOAD_OFFENCE);
        cr_expect_str_eq(whole[order].failure, "lost");
        cr_assert_eq(whole[order].series.count, 5);
        cr_expect_eq(whole[order].series.points[0].sent, 1000);
        cr_expect_eq(whole[order].series.points[2].sent, 3000);
        cr_expect_eq(whole[order].series.points[2].latency.count, 200);
        cr_expect_eq(whole[order].series.points[4].latency.max, 2000u * 100 * 100);
        load_result_fini(&parts[0]);
        load_result_fini(&parts[1]);
    }
    load_result_fini(&whole[0]);
    load_result_fini(&whole[1]);
}

/* Cut anywhere, it is no whole result. */
Test(load_result, a_file_that_is_cut_or_spoiled_is_refused, .timeout = 60)
{
    static char text[1 << 16];
    char path[64], error[LOAD_ERROR_BYTES];
    make_path(path);
    struct load_result result = result_of(3), read;
    cr_assert_eq(load_result_save(&result, path, error), RC_OK);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file);
    size_t count = fread(text, 1, sizeof text, file);
    fclose(file);
    for (size_t cut = 0; cut + 1 < count; cut += 1 + cut / 64) {
        file = fopen(path, "we");
        fwrite(text, 1, cut, file);
        fclose(file);
        cr_expect_eq(load_result_read(&read, path, error), RC_EINVAL, "cut at %zu", cut);
        cr_expect_not_null(strstr(error, path));
    }
    static const char *const lines[] = {"sent x\n", "point 1 2 99999:1\n", "point 1 2 3\n", "unheard 5\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        file = fopen(path, "we");
        fprintf(file, "ringcast-load result 1\nprocesses 1\nseconds 1\n%send\n", lines[i]);
        fclose(file);
        cr_expect_eq(load_result_read(&read, path, error), RC_EINVAL, "%s", lines[i]);
    }
    unlink(path);
    cr_expect_eq(load_result_read(&read, path, error), RC_EINVAL, "it is not there");
    cr_expect_eq(load_result_save(&result, "/nonexistent/x", error), RC_EINVAL);
    cr_expect_not_null(strstr(error, "cannot write /nonexistent/x"));
    load_result_fini(&result);
}
