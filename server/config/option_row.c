/* server/config/option_row.c - names of options as flags and variables, and rows of --help. */
#include "server/config/option_row.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 100
#define HELP_COLUMN 35

char option_spell_flag(char letter)
{
    return letter == '_' ? '-' : letter;
}

char option_spell_variable(char letter)
{
    return (char)toupper((unsigned char)letter);
}

const char *option_spell(const char *name, char (*spell)(char), char *text_r, size_t size)
{
    size_t at = 0;
    for (; name[at] != '\0' && at + 1 < size; at++)
        text_r[at] = spell(name[at]);
    text_r[at] = '\0';
    return text_r;
}

char *option_row_text(const struct option_row *row, const void *value)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (out == NULL) return NULL;
    uint32_t count = option_type_is_list(row->type) ? row->type->count(value) : 1;
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0) fputs(", ", out);
        row->type->write(out, value, i);
    }
    fflush(out);
    if (bytes == 0) fputs("none", out);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}

/* Writes the text with its lines broken at blanks, each after the first indented; `column` is where the cursor
 * stands. */
static void wrap(FILE *out, const char *text, int column)
{
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + length > COLUMNS_MAX) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        column += fprintf(out, "%s%.*s", column > HELP_COLUMN ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

void option_row_help(FILE *out, const char *give, const char *help, const char *value_default, const char *remark)
{
    char text[512];
    int column = fprintf(out, "  %s", give);
    if (column < HELP_COLUMN) column += fprintf(out, "%*s", HELP_COLUMN - column, "");
    const char *between = value_default[0] != '\0' && remark[0] != '\0' ? ", " : "";
    if (value_default[0] == '\0' && remark[0] == '\0')
        snprintf(text, sizeof text, "%s", help);
    else
        snprintf(text, sizeof text, "%s [%s%s%s]", help, value_default, between, remark);
    wrap(out, text, column);
}
