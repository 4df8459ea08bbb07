/* server/metrics/exposition.h - metrics as text: Prometheus' format 0.0.4, OpenMetrics 1.0, and a table for the manual.
 *
 * A family is begun, then come its samples; all of one family stand together, as both formats want it.
 * Threads: any; writes to a FILE, whose errors the caller asks for at the end.
 * Sources: https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/ */
#pragma once

#include "core/histogram.h"
#include "core/text.h"

#include <stdint.h>
#include <stdio.h>

enum exposition_format {
    EXPOSITION_PROMETHEUS,
    EXPOSITION_OPEN_METRICS,
    EXPOSITION_TABLE, /* a row for each family, in Markdown, and no samples */
};

enum exposition_type {
    EXPOSITION_COUNT, /* its name is given without the _total behind it */
    EXPOSITION_GAUGE,
    EXPOSITION_HISTOGRAM,
    EXPOSITION_INFO, /* without the _info */
};

struct exposition {
    FILE *out;
    enum exposition_format format;
    enum exposition_type type; /* of the family that was begun, */
    const char *prefix;        /* and its name: */
    const char *name;
};

/* A family. The name ends in its unit, if it has one ("bytes", "seconds"; "" or NULL: none). */
struct exposition_family {
    enum exposition_type type;
    const char *prefix; /* "ringcast_", or what else stands before the name */
    const char *name;
    const char *unit;
    const char *labels; /* which ones its samples have, for the table; NULL: none */
    const char *text;   /* one line, without quotes and backslashes */
};

/* Which format a client wants, by its Accept (RFC 9110 12.5.1); at == NULL: it says nothing. */
enum exposition_format exposition_format_of(struct text accept);
/* The Content-Type of a format. */
const char *exposition_type_of(enum exposition_format format);

void exposition_begin(struct exposition *exposition, const struct exposition_family *family);
/* Labels as they stand between the braces, NULL: none. */
void exposition_sample(struct exposition *exposition, const char *labels, uint64_t value);
/* Of a value in thousandths. */
void exposition_sample_ms(struct exposition *exposition, const char *labels, uint64_t ms);
void exposition_histogram(struct exposition *exposition, const char *labels, const struct histogram *histogram);
void exposition_end(struct exposition *exposition);
