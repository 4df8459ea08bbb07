/* deploy/man/man_page.c - writes a man page: a template, in which a line @TABLE stands for the rows of that table.
 *
 *     man_page TEMPLATE > PAGE
 *
 * So what a page says of an option is what --help and the sample of a configuration say. */
#include "bench/load/load_options.h"
#include "server/config/app.h"
#include "server/config/history_rule.h"
#include "server/config/option_set.h"
#include "server/config/options_print.h"
#include "server/config/setting.h"

#include <stdlib.h>
#include <string.h>

enum { COLUMNS_MAX = 78, LINE_BYTES = 1024 };

/* ---- roff ---- */

/* A hyphen that can be copied to a command line, and no control line. */
static int write_word(FILE *out, const char *word, int length)
{
    int column = 0;
    if (word[0] == '.' || word[0] == '\'') column += fprintf(out, "\\&");
    for (int i = 0; i < length; i++) {
        if (word[i] == '-')
            column += fprintf(out, "\\-");
        else if (word[i] == '\\')
            column += fprintf(out, "\\e");
        else
            column += fprintf(out, "%c", word[i]);
    }
    return column;
}

/* Writes the text with its lines broken at blanks, and a full stop behind it. */
static void write_text(FILE *out, const char *text)
{
    char last = '.';
    for (int column = 0; *(text += strspn(text, " \n")) != '\0';) {
        int length = (int)strcspn(text, " \n");
        if (column > 0 && column + length + 1 > COLUMNS_MAX) {
            fputc('\n', out);
            column = 0;
        }
        if (column > 0) column += fprintf(out, " ");
        column += write_word(out, text, length);
        last = text[length - 1];
        text += length;
    }
    fputs(last == '.' ? "\n" : ".\n", out);
}

/* "TAG", the name in bold and what it is given in italics. */
static void write_tag(FILE *out, const char *name, const char *between, const char *value)
{
    fputs(".TP\n\\fB", out);
    write_word(out, name, (int)strlen(name));
    fputs("\\fR", out);
    if (value[0] != '\0') {
        fprintf(out, "%s\\fI", between);
        write_word(out, value, (int)strlen(value));
        fputs("\\fR", out);
    }
    fputc('\n', out);
}

static void write_default(FILE *out, const char *value)
{
    if (value[0] == '\0') return;
    fputs("Default: \\fB", out);
    write_word(out, value, (int)strlen(value));
    fputs("\\fR.\n", out);
}

/* ---- ringcast ---- */

static void write_option(FILE *out, enum option_id id)
{
    const struct option_row *row = option_row_of(id);
    bool needs_restart = option_section_of(id) != SECTION_none && option_change_of(id) == OPTION_RESTART;
    char flag[64], give[80];
    snprintf(give, sizeof give, "--%s", option_spell(row->name, option_spell_flag, flag, sizeof flag));
    write_tag(out, give, " ", row->unit);
    write_text(out, row->help);
    write_default(out, row->type->is_action ? "" : row->value_default);
    if (needs_restart) fputs("A change needs a restart.\n", out);
}

static void write_options(FILE *out)
{
#define OPTION_GROUP(title)      fprintf(out, ".SS %s\n", (title));
#define OPTION(type, name_, ...) write_option(out, OPTION_##name_);
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
}

/* What ringcast ctl is given. */
static void write_command(FILE *out, const char *words, const char *argument, const char *help)
{
    write_tag(out, words, " ", argument);
    write_text(out, help);
}

static void write_commands(FILE *out)
{
#define COMMAND(id, method, words, path, argument, help)  write_command(out, (words), (argument), (help));
#define COMMAND_FOLLOWED(id, words, path, argument, help) write_command(out, (words), (argument), (help));
#define COMMAND_HERE(id, words, argument, help)           write_command(out, (words), (argument), (help));
#include "server/ctl/command.def"
#undef COMMAND
#undef COMMAND_FOLLOWED
#undef COMMAND_HERE
}

static void write_setting(FILE *out, const struct option_row *row)
{
    char *bounds = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&bounds, &bytes);
    if (memory == NULL) return;
    bool has_bounds = options_print_bounds(row, memory);
    if (fclose(memory) != 0) return;
    write_tag(out, row->name, " = ", row->type == &option_type_bool ? "yes|no" : row->unit);
    write_text(out, row->help);
    if (has_bounds) write_text(out, bounds);
    write_default(out, row->value_default);
    free(bounds);
}

static void write_settings(FILE *out, const struct setting_table *table)
{
    for (uint32_t i = 0; i < table->count; i++)
        write_setting(out, &table->rows[i]);
}

static void write_section(FILE *out, enum section section)
{
    const char *name = section == SECTION_app ? " ID" : section == SECTION_channels ? " PATTERN" : "";
    fprintf(out, ".SS [%s%s]\n", section_name(section), name);
    write_text(out, section_about(section));
    if (section == SECTION_app) write_settings(out, &app_settings);
    if (section == SECTION_channels) write_settings(out, &history_settings);
    for (enum option_id id = 0; name[0] == '\0' && id < OPTIONS_COUNT; id++)
        if (option_section_of(id) == section) write_setting(out, option_row_of(id));
}

static void write_sections(FILE *out)
{
    for (enum section section = SECTION_none + 1; section < SECTIONS_COUNT; section++)
        write_section(out, section);
}

/* ---- ringcast-load ---- */

static void write_load_options(FILE *out)
{
    struct load_options_row row;
    for (size_t i = 0; load_options_row(i, &row); i++) {
        if (row.name == NULL) {
            fprintf(out, ".SS %s\n", row.help);
        } else {
            write_tag(out, row.name, " ", row.value);
            write_text(out, row.help);
        }
    }
}

/* ---- the template ---- */

static const struct table {
    const char *name;
    void (*write)(FILE *out);
} tables[] = {
    {"@options\n", write_options},
    {"@sections\n", write_sections},
    {"@commands\n", write_commands},
    {"@load_options\n", write_load_options},
};

/* False: there is no such table. */
static bool write_line(FILE *out, const char *line)
{
    if (line[0] != '@') return fputs(line, out) >= 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        if (strcmp(tables[i].name, line) != 0) continue;
        tables[i].write(out);
        return true;
    }
    fprintf(stderr, "man_page: there is no table %s", line);
    return false;
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];
    FILE *template = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (template == NULL) {
        fprintf(stderr, "man_page: give a template that can be read\n");
        return EXIT_FAILURE;
    }
    bool is_good = true;
    while (is_good && fgets(line, sizeof line, template) != NULL)
        is_good = write_line(stdout, line);
    fclose(template);
    return is_good && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
