/* server/config/options_help.c - what --help shows, from the same table. */
#include "server/config/option_row.h"

#include <string.h>

#define COLUMNS_MAX 100
#define HELP_COLUMN 35

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

void options_help_row(FILE *out, const char *give, const char *help, const char *value_default)
{
    char text[512];
    int column = fprintf(out, "  %s", give);
    int gap = column < HELP_COLUMN ? HELP_COLUMN - column : 1;
    fprintf(out, "%*s", gap, "");
    if (value_default[0] == '\0')
        snprintf(text, sizeof text, "%s", help);
    else
        snprintf(text, sizeof text, "%s [%s]", help, value_default);
    wrap(out, text, HELP_COLUMN);
}

static void show_row(FILE *out, const struct option_row *row)
{
    char flag[64], give[128];
    snprintf(give, sizeof give, "--%s%s%s", option_spell(row->name, option_spell_flag, flag, sizeof flag),
             row->unit[0] != '\0' ? " " : "", row->unit);
    options_help_row(out, give, row->help, row->type->is_action ? "" : row->value_default);
}

void options_help(FILE *out)
{
    fprintf(out, "ringcast %s - instant messages over WebSocket\n\nUsage: ringcast [OPTION]...\n", RINGCAST_VERSION);
#define OPTION_GROUP(title)      fprintf(out, "\n%s\n", (title));
#define OPTION(type, name_, ...) show_row(out, &option_rows[OPTION_##name_]);
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
    app_help(out);
    history_rule_help(out);
    fputs("\nValues\n"
          "  BYTES are plain or in KiB, MiB, GiB; TIME is in ms, s, m, h or d, plain numbers are milliseconds.\n"
          "  A value follows after a blank or an equals sign: --shards 4, --shards=4; [this] is the default.\n"
          "\nEnvironment\n"
          "  --message-bytes-max is RINGCAST_MESSAGE_BYTES_MAX there, and so on; switches take yes or no.\n"
          "  Commas, blanks or newlines separate the values of a repeatable option, commas alone file names,\n"
          "  semicolons those of RINGCAST_APP and RINGCAST_HISTORY. A flag wins over its variable.\n",
          out);
}
