/* server/config/options_print.c - all options as a file has them: with their sources, or as a sample. */
#include "server/config/options_print.h"

#include "server/config/option_set.h"
#include "server/config/setting.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE_COLUMN  44
#define COLUMNS_MAX    100
#define SOURCE_BYTES   OPTION_GIVEN_BYTES_MAX
#define SAMPLE_ID      "1001"
#define SAMPLE_PATTERN "private-*"

/* ---- values with their sources ---- */

/* Writes the value with its name, and behind it where it is from. */
static void write_line(FILE *out, const struct option_row *row, const void *value, uint32_t entry, const char *source)
{
    char *line = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&line, &bytes);
    if (memory == NULL) return;
    fprintf(memory, "%s =%s", row->name, value != NULL ? " " : "");
    if (value != NULL) row->type->write(memory, value, entry);
    if (fclose(memory) == 0) fprintf(out, "%-*s # %s\n", SOURCE_COLUMN, line, source);
    free(line);
}

/* "default", "--ping-ms", "RINGCAST_PING_MS", "FILE:LINE" */
static const char *source_of(const struct options *options, enum option_id id, uint32_t entry,
                             char text_r[SOURCE_BYTES])
{
    const struct option_place *place = option_place_of(options, id, entry);
    if (options->sources[id] == OPTION_DEFAULT) return "default";
    if (place == NULL) return option_spell_given(options, id, entry, true, text_r);
    snprintf(text_r, SOURCE_BYTES, "%.300s:%u", place->file, place->line);
    return text_r;
}

static void print_option(FILE *out, const struct options *options, enum option_id id)
{
    char source[SOURCE_BYTES];
    const struct option_row *row = option_row_of(id);
    const void *value = (const char *)options + row->offset;
    uint32_t count = option_entries(options, id);
    if (count == 0) write_line(out, row, NULL, 0, source_of(options, id, 0, source));
    for (uint32_t i = 0; i < count; i++)
        write_line(out, row, value, i, source_of(options, id, i, source));
}

static void print_settings(FILE *out, const struct setting_table *table, const void *values, const char *source)
{
    uint64_t given = *(const uint64_t *)((const char *)values + table->given);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        const void *value = (const char *)values + row->offset;
        const char *from = (given >> i & 1) != 0 ? source : "default";
        uint32_t count = option_type_is_list(row->type) ? row->type->count(value) : 1;
        if (count == 0) write_line(out, row, NULL, 0, from);
        for (uint32_t entry = 0; entry < count; entry++)
            write_line(out, row, value, entry, from);
    }
}

/* [app ID] or [channels PATTERN] */
static void print_entry(FILE *out, const struct options *options, enum option_id id, uint32_t entry, const char *name,
                        const struct setting_table *table, const void *values)
{
    char source[SOURCE_BYTES];
    source_of(options, id, entry, source);
    fprintf(out, "\n[%s %s]\n", section_name(option_section_of(id)), name);
    print_settings(out, table, values, source_of(options, id, entry, source));
}

static void print_apps(FILE *out, const struct options *options)
{
    if (options->sources[OPTION_app] == OPTION_DEFAULT) {
        fputs("\n# no app is given: the server makes one of its own for the rooms\n", out);
        return;
    }
    for (uint32_t i = 0; i < options->app.count; i++)
        print_entry(out, options, OPTION_app, i, options->app.items[i].id, &app_settings, &options->app.items[i]);
}

static void print_rules(FILE *out, const struct options *options)
{
    if (options->history.count == 0) fputs("\n# no channel keeps what is published\n", out);
    for (uint32_t i = 0; i < options->history.count; i++)
        print_entry(out, options, OPTION_history, i, options->history.items[i].pattern, &history_settings,
                    &options->history.items[i]);
}

void options_print(const struct options *options, FILE *out)
{
    fprintf(out, "# ringcast %s: every value, and where it is from\n", RINGCAST_VERSION);
    for (uint32_t i = 0; i < options->files.count; i++)
        fprintf(out, "# read: %s\n", options->files.items[i]);
    for (enum section section = SECTION_none + 1; section < SECTIONS_COUNT; section++) {
        bool is_list = section == SECTION_app || section == SECTION_channels;
        if (section == SECTION_app) print_apps(out, options);
        if (section == SECTION_channels) print_rules(out, options);
        if (!is_list) fprintf(out, "\n[%s]\n", section_name(section));
        for (enum option_id id = 0; !is_list && id < OPTIONS_COUNT; id++)
            if (option_section_of(id) == section) print_option(out, options, id);
    }
}

/* ---- the sample ---- */

/* Writes the text as a comment, its lines broken at blanks. */
static void write_comment(FILE *out, const char *text)
{
    int column = COLUMNS_MAX;
    const char *begin = "# ";
    while (*text != '\0') {
        int length = (int)strcspn(text, " ");
        if (column + 1 + length > COLUMNS_MAX) {
            column = fprintf(out, "%s%.*s", begin, length, text);
            begin = "\n# ";
        } else {
            column += fprintf(out, " %.*s", length, text);
        }
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void write_bound(FILE *out, const struct option_row *row, uint64_t bound)
{
    option_count count = (option_count)bound;
    bool is_wide = row->type == &option_type_bytes || row->type == &option_type_ms;
    row->type->write(out, is_wide ? (const void *)&bound : &count, 0);
}

static bool has_bounds(const struct option_row *row)
{
    return row->type == &option_type_bytes || row->type == &option_type_ms || row->type == &option_type_count ||
           row->type == &option_type_power_of_two;
}

bool options_print_bounds(const struct option_row *row, FILE *out)
{
    if (!has_bounds(row)) return false;
    write_bound(out, row, row->bounds.min);
    fputs(" to ", out);
    write_bound(out, row, row->bounds.max);
    return true;
}

/* What it means, what may be given, and what it is if nothing is. */
static void sample_row(FILE *out, const struct option_row *row, const char *value)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    if (memory == NULL) return;
    fprintf(memory, "%s. %s", row->help, row->type == &option_type_bool ? "yes or no" : row->unit);
    if (has_bounds(row)) fputs(", ", memory);
    options_print_bounds(row, memory);
    if (fclose(memory) == 0) write_comment(out, text);
    free(text);
    fprintf(out, "#%s =%s%s\n", row->name, value[0] != '\0' ? " " : "", value);
}

static void sample_settings(FILE *out, enum section section, const char *name, const struct setting_table *table)
{
    fprintf(out, "#[%s %s]\n", section_name(section), name);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        bool is_needed = row->value_default[0] == '\0' && row->bounds.min > 0;
        fputc('\n', out);
        sample_row(out, row, is_needed ? row->unit : row->value_default);
    }
}

static void sample_options(FILE *out, enum section section)
{
    fprintf(out, "[%s]\n", section_name(section));
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++) {
        if (option_section_of(id) != section) continue;
        fputc('\n', out);
        sample_row(out, option_row_of(id), option_row_of(id)->value_default);
    }
}

void options_print_sample(FILE *out)
{
    fprintf(out, "# ringcast.conf - for ringcast %s, started with --config FILE\n#\n", RINGCAST_VERSION);
    fputs("# Every option stands here in a comment, with its default. Take the # away in front of a line to\n"
          "# change it; an empty value is the default, too. A comment has a line of its own. Of an option that\n"
          "# may be repeated each value has a line. BYTES are plain or in KiB, MiB, GiB; TIME is in ms, s, m, h\n"
          "# or d, plain numbers are ms.\n"
          "#\n"
          "# Files conf.d/*.conf beside this one are read behind it, in the order of their names: what a later\n"
          "# one says counts. Variables win over files (RINGCAST_PING_MS for ping_ms), flags over variables\n"
          "# (--ping-ms). ringcast --config FILE --print-config shows what counts, and where it is from.\n",
          out);
    for (enum section section = SECTION_none + 1; section < SECTIONS_COUNT; section++) {
        fputs("\n\n", out);
        write_comment(out, section_about(section));
        if (section == SECTION_app)
            sample_settings(out, section, SAMPLE_ID, &app_settings);
        else if (section == SECTION_channels)
            sample_settings(out, section, SAMPLE_PATTERN, &history_settings);
        else
            sample_options(out, section);
    }
}

/* ---- help ---- */

static void show_row(FILE *out, const struct option_row *row)
{
    char flag[64], give[128];
    snprintf(give, sizeof give, "--%s%s%s", option_spell(row->name, option_spell_flag, flag, sizeof flag),
             row->unit[0] != '\0' ? " " : "", row->unit);
    option_row_help(out, give, row->help, row->type->is_action ? "" : row->value_default);
}

void options_help(FILE *out)
{
    fprintf(out,
            "ringcast %s - instant messages over WebSocket\n\nUsage: ringcast [OPTION]...\n"
            "       ringcast check [--strict] [--json] [OPTION]...   would it start, and what will be wanting?\n"
            "       ringcast -vv   what it is made of and runs on, for a bug report\n",
            RINGCAST_VERSION);
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
