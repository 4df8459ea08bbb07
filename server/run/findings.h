/* server/run/findings.h - what `ringcast check` has found: each with why it matters and what to do.
 *
 * One thread. Nothing is allocated; further findings than there is room for are left out, and counted. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FINDINGS_MAX       64
#define FINDING_BYTES      512
#define FINDING_WHAT_BYTES 1280 /* a path and what is wrong with it */

enum finding_level {
    FINDING_GOOD,
    FINDING_WARNING, /* the server starts */
    FINDING_FAULT    /* it does not */
};

struct finding {
    enum finding_level level;
    const char *about; /* one word, static */
    char what[FINDING_WHAT_BYTES];
    const char *why, *cure; /* static; "" when `what` says it */
};

struct findings {
    struct finding items[FINDINGS_MAX];
    uint32_t count, left_out, warnings;
    int status; /* that a start would end with; 0: it would go on */
};

/* Adds one; `what` is printf-like. why and cure are sentences without a full stop. */
__attribute__((format(printf, 5, 6))) void finding_add(struct findings *findings, const char *about, const char *why,
                                                       const char *cure, const char *format, ...);
__attribute__((format(printf, 5, 6))) void finding_warn(struct findings *findings, const char *about, const char *why,
                                                        const char *cure, const char *format, ...);
/* Adds a fault, with which a start would end so. Of several the first one's status counts, as in a start. */
void finding_fault(struct findings *findings, const char *about, int status, const char *what);

/* Writes them for people: a line for each, and what a start would come to in the last one. */
void findings_print(const struct findings *findings, FILE *out);
/* Writes them as one JSON object. */
void findings_print_json(const struct findings *findings, FILE *out);
