/* server/config/options_help.c - what --help shows, from the same table. */
#include "server/config/option_row.h"
#include "server/config/options.h"

static void show_row(FILE *out, const struct option_row *row)
{
    char flag[64], give[128];
    snprintf(give, sizeof give, "--%s%s%s", option_spell(row->name, option_spell_flag, flag, sizeof flag),
             row->unit[0] != '\0' ? " " : "", row->unit);
    option_row_help(out, give, row->help, row->type->is_action ? "" : row->value_default);
}

void options_help(FILE *out)
{
    fprintf(out, "ringcast %s - instant messages over WebSocket\n\nUsage: ringcast [OPTION]...\n", RINGCAST_VERSION);
#define OPTION_GROUP(title)      fprintf(out, "\n%s\n", (title));
#define OPTION(type, name_, ...) show_row(out, option_row_of(OPTION_##name_));
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
