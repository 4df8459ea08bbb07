/* server/metrics/exposition.c - families and samples in each format. */
#include "server/metrics/exposition.h"

#include "net/http_request.h"

#include <assert.h>
#include <string.h>

#define US_A_SECOND  1000000
#define WEIGHT_WHOLE 1000

/* ---- what the client wants ---- */

static struct text trimmed(struct text text)
{
    while (text.count > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = text_behind(text, 1);
    while (text.count > 0 && (text.at[text.count - 1] == ' ' || text.at[text.count - 1] == '\t'))
        text.count--;
    return text;
}

/* Takes what stands before the next separator, which goes too. */
static struct text take_until(struct text *text, char separator)
{
    const char *end = text->count > 0 ? memchr(text->at, separator, text->count) : NULL;
    struct text taken = end != NULL ? text_between(text->at, end) : *text;
    *text = text_behind(*text, end != NULL ? taken.count + 1 : taken.count);
    return trimmed(taken);
}

/* "0.75" is 750. What is no weight counts as 1. */
static uint32_t weight_of(struct text text)
{
    uint32_t weight = 0, worth = WEIGHT_WHOLE;
    for (size_t i = 0; i < text.count; i++) {
        char at = text.at[i];
        if (at == '.' && i == 1) continue;
        if (at < '0' || at > '9' || i > 4) return WEIGHT_WHOLE;
        weight += worth * (uint32_t)(at - '0');
        worth /= 10;
    }
    return weight > WEIGHT_WHOLE || text.count == 0 ? WEIGHT_WHOLE : weight;
}

/* An element of Accept: how much its type is wanted, 0 for a version that is not written here. */
static uint32_t weight_of_element(struct text parameters, const char *version)
{
    uint32_t weight = WEIGHT_WHOLE;
    while (parameters.count > 0) {
        struct text value = take_until(&parameters, ';');
        struct text name = take_until(&value, '=');
        if (text_is_nocase(name, "q")) weight = weight_of(value);
        if (text_is_nocase(name, "version") && !text_is(value, version)) return 0;
    }
    return weight;
}

enum exposition_format exposition_format_of(struct text accept)
{
    uint32_t open_metrics = 0, prometheus = 0;
    for (struct text element; http_list_take(&accept, &element);) {
        struct text type = take_until(&element, ';');
        bool is_open_metrics = text_is_nocase(type, "application/openmetrics-text");
        uint32_t weight = weight_of_element(element, is_open_metrics ? "1.0.0" : "0.0.4");
        uint32_t *known = is_open_metrics ? &open_metrics : &prometheus;
        if (!is_open_metrics && !text_is_nocase(type, "text/plain")) continue;
        if (weight > *known) *known = weight;
    }
    return open_metrics > 0 && open_metrics >= prometheus ? EXPOSITION_OPEN_METRICS : EXPOSITION_PROMETHEUS;
}

const char *exposition_type_of(enum exposition_format format)
{
    return format == EXPOSITION_OPEN_METRICS ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                             : "text/plain; version=0.0.4; charset=utf-8";
}

/* ---- families ---- */

static const char *type_name(enum exposition_type type, bool has_info)
{
    switch (type) {
    case EXPOSITION_COUNT:
        return "counter";
    case EXPOSITION_HISTOGRAM:
        return "histogram";
    case EXPOSITION_INFO:
        return has_info ? "info" : "gauge";
    case EXPOSITION_GAUGE:
        break;
    }
    return "gauge";
}

/* What stands behind a family's name in its samples. */
static const char *suffix_of(enum exposition_type type)
{
    if (type == EXPOSITION_COUNT) return "_total";
    return type == EXPOSITION_INFO ? "_info" : "";
}

static void write_row(FILE *out, const struct exposition_family *family)
{
    const char *labels = family->labels != NULL ? family->labels : "";
    fprintf(out, "| `%s%s%s` | %s | %s | %s |\n", family->prefix, family->name, suffix_of(family->type),
            type_name(family->type, false), labels, family->text);
}

void exposition_begin(struct exposition *exposition, const struct exposition_family *family)
{
    FILE *out = exposition->out;
    bool is_open_metrics = exposition->format == EXPOSITION_OPEN_METRICS;
    const char *prefix = family->prefix, *name = family->name;
    const char *suffix = is_open_metrics ? "" : suffix_of(family->type);
    exposition->type = family->type;
    exposition->prefix = prefix;
    exposition->name = name;
    if (exposition->format == EXPOSITION_TABLE) {
        write_row(out, family);
        return;
    }
    bool has_unit = is_open_metrics && family->unit != NULL && family->unit[0] != '\0';
    fprintf(out, "# TYPE %s%s%s %s\n", prefix, name, suffix, type_name(family->type, is_open_metrics));
    if (has_unit) fprintf(out, "# UNIT %s%s %s\n", prefix, name, family->unit);
    fprintf(out, "# HELP %s%s%s %s\n", prefix, name, suffix, family->text);
}

void exposition_end(struct exposition *exposition)
{
    if (exposition->format == EXPOSITION_OPEN_METRICS) fputs("# EOF\n", exposition->out);
}

/* ---- samples: thousands of them, hence no format strings ---- */

static void put(FILE *out, const char *text)
{
    fwrite_unlocked(text, 1, strlen(text), out);
}

static void put_number(FILE *out, uint64_t number)
{
    char digits[20], *at = digits + sizeof digits;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    fwrite_unlocked(at, 1, (size_t)(digits + sizeof digits - at), out);
}

/* Everything but the value: name, labels, a blank. */
static void put_name(const struct exposition *exposition, const char *suffix, const char *labels)
{
    put(exposition->out, exposition->prefix);
    put(exposition->out, exposition->name);
    put(exposition->out, suffix);
    if (labels != NULL) {
        put(exposition->out, "{");
        put(exposition->out, labels);
        put(exposition->out, "}");
    }
    put(exposition->out, " ");
}

/* A number of so many parts of a whole, and the end of the line. */
static void put_parts(FILE *out, uint64_t number, uint32_t parts)
{
    put_number(out, number / parts);
    put(out, ".");
    for (uint32_t part = parts / 10; part > number % parts && part > 1; part /= 10)
        put(out, "0");
    put_number(out, number % parts);
    put(out, "\n");
}

void exposition_sample(struct exposition *exposition, const char *labels, uint64_t value)
{
    assert(exposition->type != EXPOSITION_HISTOGRAM);
    if (exposition->format == EXPOSITION_TABLE) return;
    put_name(exposition, suffix_of(exposition->type), labels);
    put_number(exposition->out, value);
    put(exposition->out, "\n");
}

void exposition_sample_ms(struct exposition *exposition, const char *labels, uint64_t ms)
{
    assert(exposition->type != EXPOSITION_HISTOGRAM);
    if (exposition->format == EXPOSITION_TABLE) return;
    put_name(exposition, suffix_of(exposition->type), labels);
    put_parts(exposition->out, ms, 1000);
}

/* The bounds of buckets as they stand in the label le. */
static char bounds[HISTOGRAM_BUCKETS][24];

__attribute__((constructor)) static void write_bounds(void)
{
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        uint64_t us = histogram_bound_us(i);
        snprintf(bounds[i], sizeof bounds[i], "%u.%06u", (unsigned)(us / US_A_SECOND), (unsigned)(us % US_A_SECOND));
    }
    snprintf(bounds[HISTOGRAM_BUCKETS - 1], sizeof bounds[0], "+Inf");
}

static void put_bucket(const struct exposition *exposition, const char *labels, const char *bound, uint64_t below)
{
    FILE *out = exposition->out;
    put(out, exposition->prefix);
    put(out, exposition->name);
    put(out, "_bucket{");
    put(out, labels != NULL ? labels : "");
    put(out, labels != NULL ? ",le=\"" : "le=\"");
    put(out, bound);
    put(out, "\"} ");
    put_number(out, below);
    put(out, "\n");
}

void exposition_histogram(struct exposition *exposition, const char *labels, const struct histogram *histogram)
{
    assert(exposition->type == EXPOSITION_HISTOGRAM);
    if (exposition->format == EXPOSITION_TABLE) return;
    uint64_t below = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += histogram->buckets[i];
        put_bucket(exposition, labels, bounds[i], below);
    }
    put_name(exposition, "_sum", labels);
    put_parts(exposition->out, histogram->sum_us, US_A_SECOND);
    put_name(exposition, "_count", labels);
    put_number(exposition->out, below);
    put(exposition->out, "\n");
}
