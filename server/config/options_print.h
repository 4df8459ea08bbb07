/* server/config/options_print.h - what is shown of the options: values with their sources, a sample, help.
 *
 * Any thread may look. */
#pragma once

#include "server/config/options.h"

#include <stdio.h>

struct option_row;

/* A value as a file has it, secrets as ***. It lives during the call. */
struct option_shown {
    const char *section; /* "server", "app 1001" */
    const char *name;    /* "listen", "members_max" */
    const char *value;   /* of a list one entry; NULL: it has none */
    const char *source;  /* "default", "--ping-ms", "RINGCAST_PING_MS", "FILE:LINE" */
};

/* Shows every value, in the order of a file: that of each option, app and rule. */
typedef void options_show(void *context, const struct option_shown *shown);
void options_show_all(const struct options *options, options_show *show, void *context);

/* Writes what --print-config shows: a line for each value with its source behind it, as a file has them but for
 * that. */
void options_print(const struct options *options, FILE *out);
/* Writes what --print-sample-config shows: a file with every option in a comment, at its default. */
void options_print_sample(FILE *out);
/* Writes what stands there of a number's bounds: "1s to 1h". False: it is none, and nothing was written. */
bool options_print_bounds(const struct option_row *row, FILE *out);
/* Writes what --help shows, at most 100 columns wide. */
void options_help(FILE *out);
