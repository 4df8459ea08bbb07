/* server/config/option_row.c - names of options as flags and variables, and rows of --help. */
#include "server/config/option_row.h"

#include <ctype.h>
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
    int gap = column < HELP_COLUMN ? HELP_COLUMN - column : 1;
    fprintf(out, "%*s", gap, "");
    const char *between = value_default[0] != '\0' && remark[0] != '\0' ? ", " : "";
    if (value_default[0] == '\0' && remark[0] == '\0')
        snprintf(text, sizeof text, "%s", help);
    else
        snprintf(text, sizeof text, "%s [%s%s%s]", help, value_default, between, remark);
    wrap(out, text, HELP_COLUMN);
}
