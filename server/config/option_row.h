/* server/config/option_row.h - a row of a table of options: how its name is spelled, and what --help shows of it.
 * For the files that read and show such tables; nobody else needs it. */
#pragma once

#include "server/config/option_value.h"

#include <stddef.h>
#include <stdio.h>

/* A row of options.def, or of a table of settings (server/config/setting.h). */
struct option_row {
    const char *name; /* message_bytes_max */
    const char *value_default;
    const char *unit;
    const char *help;
    const struct option_type *type;
    struct option_bounds bounds;
    size_t offset; /* of the value in struct options, or in what has the setting */
};

/* A row's initializer, from what stands in its .def; the type is the type's object. */
#define OPTION_ROW(type_, name_, offset_, default_, min_, max_, unit_, help_)                            \
    {                                                                                                    \
        .name = (name_), .value_default = (default_), .unit = (unit_), .help = (help_), .type = (type_), \
        .bounds = {.min = (min_), .max = (max_)}, .offset = (offset_)                                    \
    }

/* For spelling_closest(). */
static inline const char *option_row_name(const void *rows, size_t index)
{
    return ((const struct option_row *)rows)[index].name;
}

/* How one character of a row's name is spelled in a flag and in a variable. */
char option_spell_flag(char letter);
char option_spell_variable(char letter);
/* Writes the whole name spelled so, cut to `size` with its closing zero; returns text_r. */
const char *option_spell(const char *name, char (*spell)(char), char *text_r, size_t size);

/* A value as people are shown it, secrets as ***, the entries of a list with commas between, "none" for nothing. NULL:
 * out of memory; else the caller frees. */
char *option_row_text(const struct option_row *row, const void *value);

/* Writes one row of --help: what to give, what it means, its default, and a word more about it, unless those are "". */
void option_row_help(FILE *out, const char *give, const char *help, const char *value_default, const char *remark);
