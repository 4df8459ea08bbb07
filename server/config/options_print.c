/* server/config/options_print.c - all options as a file has them: with their sources, or as a sample. */
#include "server/config/options_print.h"

#include "server/config/option_set.h"
#include "server/config/setting.h"
#include "server/system/harmless.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE_COLUMN  44
#define COLUMNS_MAX    100
#define SOURCE_BYTES   (OPTION_GIVEN_BYTES_MAX + 16)
#define SECTION_BYTES  300 /* a name of 200 characters, and what section it is of */
#define SAMPLE_ID      "1001"
#define SAMPLE_PATTERN "private-*"

/* Of what a file has, or might have. */
static bool needs_restart(enum option_id id)
{
    return option_section_of(id) != SECTION_none && option_change_of(id) == OPTION_RESTART;
}

/* ---- values with their sources ---- */

/* Whom values are shown to. */
struct showing {
    options_show *show;
    void *context;
    const char *section; /* "server", "app 1001" */
};

static void show_value(const struct showing *to, const struct option_row *row, const void *value, uint32_t entry,
                       const char *source)
{
    char *text = NULL;
    size_t bytes = 0;
    struct option_shown shown = {.section = to->section, .name = row->name, .source = source};
    FILE *memory = value != NULL ? open_memstream(&text, &bytes) : NULL;
    if (memory == NULL && value != NULL) return;
    if (memory != NULL) {
        row->type->write(memory, value, entry);
        if (fclose(memory) == 0) shown.value = text;
    }
    to->show(to->context, &shown);
    free(text);
}

/* "default", "--ping-ms", "RINGCAST_PING_MS", "FILE:LINE"; behind it ", restart" where a change needs one. */
static const char *source_of(const struct options *options, enum option_id id, uint32_t entry,
                             char text_r[SOURCE_BYTES])
{
    char given[OPTION_GIVEN_BYTES_MAX] = "default";
    const struct option_place *place = option_place_of(options, id, entry);
    if (options->sources[id] != OPTION_DEFAULT && place == NULL) option_spell_given(options, id, entry, true, given);
    if (options->sources[id] != OPTION_DEFAULT && place != NULL)
        snprintf(given, sizeof given, "%.300s:%u", place->file, place->line);
    snprintf(text_r, SOURCE_BYTES, "%s%s", given, needs_restart(id) ? ", restart" : "");
    return text_r;
}

static void show_option(const struct showing *to, const struct options *options, enum option_id id)
{
    char source[SOURCE_BYTES];
    const struct option_row *row = option_row_of(id);
    const void *value = (const char *)options + row->offset;
    uint32_t count = option_entries(options, id);
    if (count == 0) show_value(to, row, NULL, 0, source_of(options, id, 0, source));
    for (uint32_t i = 0; i < count; i++)
        show_value(to, row, value, i, source_of(options, id, i, source));
}

static void show_settings(const struct showing *to, const struct setting_table *table, const void *values,
                          const char *source)
{
    uint64_t given = *(const uint64_t *)((const char *)values + table->given);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct option_row *row = &table->rows[i];
        const void *value = (const char *)values + row->offset;
        const char *from = (given >> i & 1) != 0 ? source : "default";
        uint32_t count = option_type_is_list(row->type) ? row->type->count(value) : 1;
        if (count == 0) show_value(to, row, NULL, 0, from);
        for (uint32_t entry = 0; entry < count; entry++)
            show_value(to, row, value, entry, from);
    }
}

/* [app ID] or [channels PATTERN] */
static void show_entry(struct showing *to, const struct options *options, enum option_id id, uint32_t entry,
                       const char *name, const struct setting_table *table, const void *values)
{
    char source[SOURCE_BYTES], section[SECTION_BYTES];
    snprintf(section, sizeof section, "%s %s", section_name(option_section_of(id)), name);
    to->section = section;
    show_settings(to, table, values, source_of(options, id, entry, source));
}

static void show_section(struct showing *to, const struct options *options, enum section section)
{
    uint32_t apps = options->sources[OPTION_app] != OPTION_DEFAULT ? options->app.count : 0;
    uint32_t rules = options->history.count;
    for (uint32_t i = 0; section == SECTION_app && i < apps; i++)
        show_entry(to, options, OPTION_app, i, options->app.items[i].id, &app_settings, &options->app.items[i]);
    for (uint32_t i = 0; section == SECTION_channels && i < rules; i++)
        show_entry(to, options, OPTION_history, i, options->history.items[i].pattern, &history_settings,
                   &options->history.items[i]);
    if (section == SECTION_app || section == SECTION_channels) return;
    to->section = section_name(section);
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++)
        if (option_section_of(id) == section) show_option(to, options, id);
}

void options_show_all(const struct options *options, options_show *show, void *context)
{
    struct showing to = {.show = show, .context = context};
    for (enum section section = SECTION_none + 1; section < SECTIONS_COUNT; section++)
        show_section(&to, options, section);
}

/* ---- as a file has them ---- */

struct printing {
    FILE *out;
    char section[SECTION_BYTES]; /* of the line before */
};

/* What somebody gave, as no terminal obeys it. Returns the bytes written. */
static int print_given(FILE *out, const char *before, const char *text, const char *behind)
{
    size_t size = 4 * strlen(text) + 1; /* \xNN for each byte */
    char *line = malloc(size);
    if (line == NULL) return 0;
    int bytes = fprintf(out, "%s%s%s", before, harmless_text(line, size, text), behind);
    free(line);
    return bytes;
}

/* A line, and in front of a section's first one its name. */
static void print_shown(void *context, const struct option_shown *shown)
{
    struct printing *printing = context;
    if (strcmp(printing->section, shown->section) != 0) print_given(printing->out, "\n[", shown->section, "]\n");
    snprintf(printing->section, sizeof printing->section, "%s", shown->section);
    int column = fprintf(printing->out, "%s =", shown->name);
    if (shown->value != NULL) column += print_given(printing->out, " ", shown->value, "");
    fprintf(printing->out, "%*s", column < SOURCE_COLUMN ? SOURCE_COLUMN - column : 0, "");
    print_given(printing->out, " # ", shown->source, "\n");
}

void options_print(const struct options *options, FILE *out)
{
    struct printing printing = {.out = out};
    struct showing to = {.show = print_shown, .context = &printing};
    fprintf(out, "# ringcast %s: every value, and where it is from\n", RINGCAST_VERSION);
    for (uint32_t i = 0; i < options->files.count; i++)
        print_given(out, "# read: ", options->files.items[i], "\n");
    for (enum section section = SECTION_none + 1; section < SECTIONS_COUNT; section++) {
        if (section == SECTION_app && options->sources[OPTION_app] == OPTION_DEFAULT)
            fputs("\n# no app is given: the server makes one of its own for the rooms\n", out);
        if (section == SECTION_channels && options->history.count == 0)
            fputs("\n# no channel keeps what is published\n", out);
        show_section(&to, options, section);
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
static void sample_row(FILE *out, const struct option_row *row, const char *value, const char *remark)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    if (memory == NULL) return;
    fprintf(memory, "%s. %s", row->help, row->type == &option_type_bool ? "yes or no" : row->unit);
    if (has_bounds(row)) fputs(", ", memory);
    options_print_bounds(row, memory);
    fputs(remark, memory);
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
        sample_row(out, row, is_needed ? row->unit : row->value_default, "");
    }
}

static void sample_options(FILE *out, enum section section)
{
    fprintf(out, "[%s]\n", section_name(section));
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++) {
        if (option_section_of(id) != section) continue;
        fputc('\n', out);
        sample_row(out, option_row_of(id), option_row_of(id)->value_default,
                   needs_restart(id) ? ". A change needs a restart" : "");
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
          "# (--ping-ms). ringcast --config FILE --print-config shows what counts, and where it is from.\n"
          "#\n"
          "# SIGHUP has a server that runs read all this again. A change counts at once, unless it says here\n"
          "# that it needs a restart; a file with a mistake changes nothing.\n",
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

static void show_row(FILE *out, enum option_id id)
{
    const struct option_row *row = option_row_of(id);
    char flag[64], give[128];
    snprintf(give, sizeof give, "--%s%s%s", option_spell(row->name, option_spell_flag, flag, sizeof flag),
             row->unit[0] != '\0' ? " " : "", row->unit);
    option_row_help(out, give, row->help, row->type->is_action ? "" : row->value_default,
                    needs_restart(id) ? "restart" : "");
}

void options_help(FILE *out)
{
    fprintf(out,
            "ringcast %s - instant messages over WebSocket\n\nUsage: ringcast [OPTION]...\n"
            "       ringcast check [--strict] [--json] [--user NAME] [OPTION]...\n"
            "           would it start, and what will be wanting?\n"
            "       ringcast ctl --help   asks a server that runs, or has it do something\n"
            "       ringcast -vv   what it is made of and runs on, for a bug report\n",
            RINGCAST_VERSION);
#define OPTION_GROUP(title)      fprintf(out, "\n%s\n", (title));
#define OPTION(type, name_, ...) show_row(out, OPTION_##name_);
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
    app_help(out);
    history_rule_help(out);
    fputs("\nValues\n"
          "  BYTES are plain or in KiB, MiB, GiB; TIME is in ms, s, m, h or d, plain numbers are milliseconds.\n"
          "  A value follows after a blank or an equals sign: --shards 4, --shards=4; [this] is the default.\n"
          "  A new value counts from a reload on (SIGHUP), but where it says restart.\n"
          "\nEnvironment\n"
          "  --message-bytes-max is RINGCAST_MESSAGE_BYTES_MAX there, and so on; switches take yes or no.\n"
          "  Commas, blanks or newlines separate the values of a repeatable option, commas alone file names,\n"
          "  semicolons those of RINGCAST_APP and RINGCAST_HISTORY. A flag wins over its variable.\n",
          out);
}
