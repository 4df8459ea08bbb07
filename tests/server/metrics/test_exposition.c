/* tests/server/metrics/test_exposition.c - what a client is answered in, and how families and samples are written. */
#include "server/metrics/exposition.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* ---- which format ---- */

static void expect_format(const char *accept, enum exposition_format format)
{
    cr_expect_eq(exposition_format_of(text_of(accept)), format, "%s", accept);
}

Test(exposition, who_says_nothing_gets_the_format_that_all_know, .timeout = 5)
{
    cr_expect_eq(exposition_format_of((struct text){0}), EXPOSITION_PROMETHEUS);
    expect_format("", EXPOSITION_PROMETHEUS);
    expect_format("*/*", EXPOSITION_PROMETHEUS);
    expect_format("text/html, */*;q=0.1", EXPOSITION_PROMETHEUS);
    expect_format("text/plain", EXPOSITION_PROMETHEUS);
    expect_format("application/json", EXPOSITION_PROMETHEUS);
}

Test(exposition, what_prometheus_sends_means_openmetrics, .timeout = 5)
{
    expect_format("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                  EXPOSITION_OPEN_METRICS);
    expect_format("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                  "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;"
                  "q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                  EXPOSITION_OPEN_METRICS);
    expect_format("Application/OpenMetrics-Text", EXPOSITION_OPEN_METRICS);
    expect_format(" application/openmetrics-text ; Version=1.0.0 ; Q=0.9 ,\ttext/plain;q=0.8",
                  EXPOSITION_OPEN_METRICS);
    expect_format("text/plain,application/openmetrics-text", EXPOSITION_OPEN_METRICS);
}

Test(exposition, the_heavier_weight_wins, .timeout = 5)
{
    expect_format("application/openmetrics-text;q=0.5,text/plain;q=0.75", EXPOSITION_PROMETHEUS);
    expect_format("application/openmetrics-text;q=0.125,text/plain;q=0.1", EXPOSITION_OPEN_METRICS);
    expect_format("application/openmetrics-text;q=0", EXPOSITION_PROMETHEUS);
    expect_format("application/openmetrics-text;q=0.000,text/plain", EXPOSITION_PROMETHEUS);
    expect_format("application/openmetrics-text;q=0.001", EXPOSITION_OPEN_METRICS);
    expect_format("application/openmetrics-text;q=1.0,text/plain;q=0.9", EXPOSITION_OPEN_METRICS);
}

Test(exposition, a_version_that_is_not_written_here_does_not_count, .timeout = 5)
{
    expect_format("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", EXPOSITION_PROMETHEUS);
    expect_format("application/openmetrics-text;version=0.0.1", EXPOSITION_PROMETHEUS);
    expect_format("application/openmetrics-text;q=0.2,text/plain;version=1.0.0;q=0.9", EXPOSITION_OPEN_METRICS);
}

Test(exposition, what_is_no_accept_header_is_answered_all_the_same, .timeout = 5)
{
    static const char *const odd[] = {";;;", ",,,", "=;=,=", "text/plain;q", "text/plain;q=", "/", "a;q=2;q=x"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        expect_format(odd[i], EXPOSITION_PROMETHEUS);
    expect_format("application/openmetrics-text;q=9", EXPOSITION_OPEN_METRICS);
    expect_format("application/openmetrics-text;q=often", EXPOSITION_OPEN_METRICS);
}

/* In memory of its own size, so that a sanitizer sees a step beyond it. */
Test(exposition, whatever_stands_in_accept_is_read_to_its_end_and_no_further, .timeout = 60)
{
    static const char *const words[] = {"application/openmetrics-text",
                                        "text/plain",
                                        "*/*",
                                        "version=1.0.0",
                                        "q=0.5",
                                        "q",
                                        "=",
                                        ";",
                                        ",",
                                        " ",
                                        "\t",
                                        ".",
                                        "0",
                                        "\"",
                                        "\\",
                                        "\xff"};
    uint64_t random = 1;
    for (uint32_t round = 0; round < 50000; round++) {
        char text[400] = "";
        size_t bytes = 0;
        for (uint32_t i = 0; i < round % 12; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407; /* Knuth's MMIX */
            bytes += (size_t)snprintf(text + bytes, sizeof text - bytes, "%s",
                                      words[(random >> 33) % (sizeof words / sizeof words[0])]);
        }
        char *own = malloc(bytes > 0 ? bytes : 1);
        memcpy(own, text, bytes);
        enum exposition_format format = exposition_format_of((struct text){own, bytes});
        cr_assert(format == EXPOSITION_PROMETHEUS || format == EXPOSITION_OPEN_METRICS);
        if (strstr(text, "openmetrics") == NULL) cr_assert_eq(format, EXPOSITION_PROMETHEUS, "%s", text);
        free(own);
    }
}

/* ---- what is written ---- */

static struct exposition_family family_of(enum exposition_type type, const char *name, const char *unit)
{
    return (struct exposition_family){
        .type = type, .prefix = "ringcast_", .name = name, .unit = unit, .labels = "shard", .text = "what it is"};
}

/* One family with its samples, as it is written in a format. */
static char *written(const struct exposition_family *family, enum exposition_format format, uint64_t value)
{
    char *text = NULL;
    size_t bytes = 0;
    struct exposition exposition = {.out = open_memstream(&text, &bytes), .format = format};
    exposition_begin(&exposition, family);
    exposition_sample(&exposition, NULL, value);
    exposition_sample(&exposition, "shard=\"1\"", value);
    exposition_end(&exposition);
    fclose(exposition.out);
    return text;
}

static void expect_written(const struct exposition_family *family, enum exposition_format format, uint64_t value,
                           const char *expected)
{
    char *text = written(family, format, value);
    cr_expect_str_eq(text, expected);
    free(text);
}

Test(exposition, a_count_ends_in_total, .timeout = 5)
{
    struct exposition_family family = family_of(EXPOSITION_COUNT, "sent_bytes", "bytes");
    expect_written(&family, EXPOSITION_PROMETHEUS, 7,
                   "# TYPE ringcast_sent_bytes_total counter\n"
                   "# HELP ringcast_sent_bytes_total what it is\n"
                   "ringcast_sent_bytes_total 7\n"
                   "ringcast_sent_bytes_total{shard=\"1\"} 7\n");
    expect_written(&family, EXPOSITION_OPEN_METRICS, UINT64_MAX,
                   "# TYPE ringcast_sent_bytes counter\n"
                   "# UNIT ringcast_sent_bytes bytes\n"
                   "# HELP ringcast_sent_bytes what it is\n"
                   "ringcast_sent_bytes_total 18446744073709551615\n"
                   "ringcast_sent_bytes_total{shard=\"1\"} 18446744073709551615\n"
                   "# EOF\n");
}

Test(exposition, a_gauge_and_an_info, .timeout = 5)
{
    struct exposition_family gauge = family_of(EXPOSITION_GAUGE, "channels", "");
    expect_written(&gauge, EXPOSITION_OPEN_METRICS, 0,
                   "# TYPE ringcast_channels gauge\n"
                   "# HELP ringcast_channels what it is\n"
                   "ringcast_channels 0\n"
                   "ringcast_channels{shard=\"1\"} 0\n"
                   "# EOF\n");
    struct exposition_family info = family_of(EXPOSITION_INFO, "build", NULL);
    expect_written(&info, EXPOSITION_PROMETHEUS, 1,
                   "# TYPE ringcast_build_info gauge\n"
                   "# HELP ringcast_build_info what it is\n"
                   "ringcast_build_info 1\n"
                   "ringcast_build_info{shard=\"1\"} 1\n");
    expect_written(&info, EXPOSITION_OPEN_METRICS, 1,
                   "# TYPE ringcast_build info\n"
                   "# HELP ringcast_build what it is\n"
                   "ringcast_build_info 1\n"
                   "ringcast_build_info{shard=\"1\"} 1\n"
                   "# EOF\n");
}

Test(exposition, the_table_has_a_row_for_each_family_and_no_samples, .timeout = 5)
{
    struct exposition_family family = family_of(EXPOSITION_COUNT, "sent_bytes", "bytes");
    expect_written(&family, EXPOSITION_TABLE, 7, "| `ringcast_sent_bytes_total` | counter | shard | what it is |\n");
}

Test(exposition, a_histogram_is_cumulative_and_ends_with_sum_and_count, .timeout = 5)
{
    char *text = NULL;
    size_t bytes = 0;
    struct histogram histogram = {0};
    struct exposition exposition = {.out = open_memstream(&text, &bytes), .format = EXPOSITION_PROMETHEUS};
    struct exposition_family family = family_of(EXPOSITION_HISTOGRAM, "turn_seconds", "seconds");
    histogram_record(&histogram, 5);
    histogram_record(&histogram, 40);
    histogram_record(&histogram, 2000000);
    exposition_begin(&exposition, &family);
    exposition_histogram(&exposition, "shard=\"1\"", &histogram);
    fclose(exposition.out);
    cr_expect_not_null(strstr(text, "_bucket{shard=\"1\",le=\"0.000016\"} 1\n"));
    cr_expect_not_null(strstr(text, "_bucket{shard=\"1\",le=\"0.000032\"} 1\n"));
    cr_expect_not_null(strstr(text, "_bucket{shard=\"1\",le=\"0.000048\"} 2\n"));
    cr_expect_not_null(strstr(text, "_bucket{shard=\"1\",le=\"33.554432\"} 3\n"));
    const char *end = strstr(text, "_bucket{shard=\"1\",le=\"+Inf\"} 3\n");
    cr_assert_not_null(end);
    cr_expect_str_eq(strchr(end, '\n') + 1, "ringcast_turn_seconds_sum{shard=\"1\"} 2.000045\n"
                                            "ringcast_turn_seconds_count{shard=\"1\"} 3\n");
    free(text);
}

Test(exposition, thousandths_are_written_as_such, .timeout = 5)
{
    char *text = NULL;
    size_t bytes = 0;
    struct exposition exposition = {.out = open_memstream(&text, &bytes), .format = EXPOSITION_PROMETHEUS};
    struct exposition_family family = family_of(EXPOSITION_GAUGE, "x_seconds", "seconds");
    exposition_begin(&exposition, &family);
    exposition_sample_ms(&exposition, NULL, 12005);
    fclose(exposition.out);
    cr_expect_not_null(strstr(text, "ringcast_x_seconds 12.005\n"));
    free(text);
}
