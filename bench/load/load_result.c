/* bench/load/load_result.c - figures to a file, from a file, and together. */
#include "bench/load/load_result.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEADING        "ringcast-load result 1"
#define LINE_BYTES_MAX 131072 /* a point: 2304 buckets of at most 27 bytes */
#define REFUSE(...)    (snprintf(error, LOAD_ERROR_BYTES, __VA_ARGS__), RC_EINVAL)

void load_result_fini(struct load_result *result)
{
    series_fini(&result->series);
}

/* ---- writing ---- */

static void write_value_uint64_t(FILE *file, const char *name, uint64_t value)
{
    fprintf(file, "%s %" PRIu64 "\n", name, value);
}

static void write_value_double(FILE *file, const char *name, double value)
{
    fprintf(file, "%s %.17g\n", name, value);
}

static void write_point(FILE *file, const struct series_point *point)
{
    const struct histogram *latency = &point->latency;
    fprintf(file, "point %" PRIu64 " %" PRIu64, point->sent, latency->max);
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (latency->buckets[i] > 0) fprintf(file, " %u:%" PRIu64, i, latency->buckets[i]);
    }
    fputc('\n', file);
}

enum rc load_result_save(const struct load_result *result, const char *path, char error[LOAD_ERROR_BYTES])
{
    FILE *file = fopen(path, "we");
    if (file == NULL) return REFUSE("cannot write %s: %s", path, strerror(errno));
    fputs(HEADING "\n", file);
#define WRITE(type, name, joined) write_value_##type(file, #name, result->name);
    LOAD_FIELDS(WRITE)
    fprintf(file, "failure %s\nseconds %u\n", result->failure, result->series.point_seconds);
    for (uint32_t i = 0; i < result->series.count; i++) {
        write_point(file, &result->series.points[i]);
    }
    fputs("end\n", file);
    bool is_written = !ferror(file);
    is_written = fclose(file) == 0 && is_written;
    return is_written ? RC_OK : REFUSE("cannot write %s: %s", path, strerror(errno));
}

/* ---- reading ---- */

static bool read_value_uint64_t(const char *text, uint64_t *value_r)
{
    char *end;
    *value_r = strtoull(text, &end, 10);
    return end != text && *end == '\0' && *text != '-';
}

static bool read_value_double(const char *text, double *value_r)
{
    char *end;
    *value_r = strtod(text, &end);
    return end != text && *end == '\0';
}

static bool read_point(struct series *series, char *text)
{
    struct series_point point = {0};
    char *at;
    point.sent = strtoull(text, &at, 10);
    point.latency.max = strtoull(at, &at, 10);
    while (*at == ' ') {
        char *colon;
        unsigned long bucket = strtoul(at, &colon, 10);
        if (*colon != ':' || bucket >= HISTOGRAM_BUCKETS) return false;
        uint64_t count = strtoull(colon + 1, &at, 10);
        point.latency.buckets[bucket] += count;
        point.latency.count += count;
    }
    if (*at != '\0' || series->point_seconds == 0 || series->count >= SERIES_POINTS_MAX) return false;
    return series_add(series, series->count * series->point_seconds, &point) == RC_OK;
}

/* One line; false: it is none of such a file. */
static bool read_line(struct load_result *result, char *line, bool *is_end)
{
    char *value = strchr(line, ' ');
    *is_end = strcmp(line, "end") == 0;
    if (*is_end) return true;
    if (value == NULL) return false;
    *value++ = '\0';
#define READ(type, name, joined) \
    if (strcmp(line, #name) == 0) return read_value_##type(value, &result->name);
    LOAD_FIELDS(READ)
    if (strcmp(line, "failure") == 0) {
        snprintf(result->failure, sizeof result->failure, "%s", value);
        return true;
    }
    uint64_t seconds;
    if (strcmp(line, "seconds") == 0 && read_value_uint64_t(value, &seconds) && seconds <= 1 << 20) {
        result->series.point_seconds = (uint32_t)seconds;
        return true;
    }
    return strcmp(line, "point") == 0 && read_point(&result->series, value);
}

static bool read_lines(struct load_result *result, FILE *file, char *line)
{
    bool is_first = true, is_end = false;
    while (!is_end && fgets(line, LINE_BYTES_MAX, file) != NULL) {
        size_t count = strcspn(line, "\n");
        if (line[count] != '\n') return false;
        line[count] = '\0';
        if (is_first ? strcmp(line, HEADING) != 0 : !read_line(result, line, &is_end)) return false;
        is_first = false;
    }
    return is_end && result->processes > 0;
}

enum rc load_result_read(struct load_result *result, const char *path, char error[LOAD_ERROR_BYTES])
{
    *result = (struct load_result){0};
    FILE *file = fopen(path, "re");
    if (file == NULL) return REFUSE("cannot read %s: %s", path, strerror(errno));
    char *line = malloc(LINE_BYTES_MAX);
    bool is_read = line != NULL && read_lines(result, file, line);
    free(line);
    fclose(file);
    if (is_read) return RC_OK;
    load_result_fini(result);
    return REFUSE("%s is no whole result of this version: write it with ringcast-load --save %s", path, path);
}

/* ---- together ---- */

#define SUM(to, from)   ((to) += (from))
#define MOST(to, from)  ((to) = (from) > (to) ? (from) : (to))
#define BEGUN(to, from) ((to) = (to) == 0 || ((from) != 0 && (from) < (to)) ? (from) : (to))

/* The status of several: an offence of the server counts more than one that could not run. Its words go along. */
static void join_failure(struct load_result *result, const struct load_result *other)
{
    if (other->status > result->status) memcpy(result->failure, other->failure, sizeof result->failure);
}

static enum rc join_series(struct load_result *result, const struct load_result *other)
{
    if (result->begun_ms == 0 || other->begun_ms == 0 || other->begun_ms >= result->begun_ms) {
        uint64_t later_ms = result->begun_ms > 0 && other->begun_ms > 0 ? other->begun_ms - result->begun_ms : 0;
        return series_add_all(&result->series, &other->series, (uint32_t)((later_ms + 500) / 1000));
    }
    struct series earlier = {0};
    uint64_t later_ms = result->begun_ms - other->begun_ms;
    enum rc rc = series_add_all(&earlier, &other->series, 0);
    if (rc == RC_OK) rc = series_add_all(&earlier, &result->series, (uint32_t)((later_ms + 500) / 1000));
    series_fini(&result->series);
    result->series = earlier;
    return rc;
}

enum rc load_result_join(struct load_result *result, const struct load_result *other)
{
    join_failure(result, other);
    enum rc rc = join_series(result, other);
#define JOIN(type, name, joined) joined(result->name, other->name);
    LOAD_FIELDS(JOIN)
    return rc;
}
