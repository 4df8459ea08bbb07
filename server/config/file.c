/* server/config/file.c - configuration files into options: every line judged, every mistake told with its place. */
#include "server/config/file.h"

#include "server/config/ini.h"
#include "server/config/mistakes.h"
#include "server/config/option_set.h"
#include "server/config/setting.h"
#include "server/config/spelling.h"
#include "server/system/text_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_BYTES_MAX (16 * 1024 * 1024)
#define ENDING         ".conf"
#define UNKNOWN        SECTIONS_COUNT /* what stands in such a section is not told again */

struct reader {
    struct options *options;
    struct mistakes mistakes;
    enum rc rc; /* RC_OK, or RC_ENOMEM: nothing more is read */
    const char *file;
    uint32_t line;
    enum section section; /* SECTION_none before the first */
    /* Of [app ID] and [channels PATTERN], until its end. */
    uint32_t section_line;
    bool is_begun, is_wrong;
    struct app app;
    struct history_rule rule;
    /* Of this file: where each option that is no list stands. */
    uint32_t lines[OPTIONS_COUNT];
};

/* ---- mistakes ---- */

static void tell_at(struct reader *reader, uint32_t line, const char *text)
{
    mistakes_add(&reader->mistakes, reader->file, line, text);
    reader->is_wrong = true;
}

__attribute__((format(printf, 2, 3))) static void tell(struct reader *reader, const char *format, ...)
{
    char text[MISTAKE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    tell_at(reader, reader->line, text);
}

/* What setting something came to; `text` is its error. */
static void judge(struct reader *reader, enum rc rc, uint32_t line, const char *text)
{
    if (rc == RC_ENOMEM) reader->rc = rc;
    if (rc == RC_EINVAL) tell_at(reader, line, text);
}

static bool has_comment(const char *value)
{
    return strstr(value, " #") != NULL || strstr(value, " ;") != NULL || strstr(value, "\t#") != NULL;
}

/* The same, of a value. What people mean for a comment is a part of it. */
static void judge_value(struct reader *reader, enum rc rc, const char *value, char text[MISTAKE_BYTES])
{
    size_t used = strlen(text);
    if (rc == RC_EINVAL && has_comment(value))
        snprintf(text + used, MISTAKE_BYTES - used, " (a comment needs a line of its own)");
    if (rc == RC_OK && has_comment(value))
        option_warn(reader->options,
                    "%s:%u: what looks like a comment is a part of the value; give it a line of its own",
                    reader->file, reader->line);
    judge(reader, rc, reader->line, text);
}

/* ---- options ---- */

/* As it stands in the table; cut where it is longer than all of them. */
static struct text table_name(struct text name, char text_r[SPELLING_BYTES_MAX])
{
    size_t count = name.count < SPELLING_BYTES_MAX ? name.count : SPELLING_BYTES_MAX;
    for (size_t i = 0; i < count; i++)
        text_r[i] = name.at[i] == '-' ? '_' : name.at[i];
    return (struct text){.at = text_r, .count = count};
}

/* "cert" in [tls] is tls_cert, too, and "delay_ms" in [webhooks] is webhook_delay_ms. What is of the section goes
 * before what another one has by this name: "listen" in [tls] is never the address without TLS. */
static enum option_id find_option(enum section section, struct text name)
{
    char whole[SPELLING_BYTES_MAX + SPELLING_BYTES_MAX], plain[SPELLING_BYTES_MAX];
    struct text given = table_name(name, plain);
    char *to = text_put(whole, text_of(section_prefix(section)));
    enum option_id id = option_find(text_between(whole, text_put(to, given)), NULL);
    return id != OPTIONS_COUNT && option_section_of(id) == section ? id : option_find(given, NULL);
}

/* Does a line of a file set it? */
static bool is_of_files(enum option_id id)
{
    enum section section = option_section_of(id);
    return section != SECTION_none && section != SECTION_app && section != SECTION_channels;
}

static void refuse_name(struct reader *reader, struct text name)
{
    enum option_id meant = option_find_closest(name);
    int shown = (int)spelling_shown(name);
    const char *section = section_name(reader->section);
    if ((size_t)shown < name.count)
        tell(reader, "\"%.*s...\" is no option of [%s]; give NAME = VALUE, a name of letters and _", shown, name.at,
             section);
    else if (meant == OPTIONS_COUNT || !is_of_files(meant))
        tell(reader, "unknown option \"%.*s\" in [%s]; --print-sample-config shows all", shown, name.at, section);
    else if (option_section_of(meant) == reader->section)
        tell(reader, "unknown option \"%.*s\" in [%s]; did you mean %s?", shown, name.at, section,
             option_row_of(meant)->name);
    else
        tell(reader, "unknown option \"%.*s\" in [%s]; did you mean %s, in [%s]?", shown, name.at, section,
             option_row_of(meant)->name, section_name(option_section_of(meant)));
}

/* False, and told: it cannot stand here. */
static bool may_stand(struct reader *reader, enum option_id id, struct text name)
{
    if (id == OPTIONS_COUNT) {
        refuse_name(reader, name);
    } else if (option_section_of(id) == SECTION_none) {
        tell(reader, "%s is not for files; give it on the command line", option_row_of(id)->name);
    } else if (!is_of_files(id)) {
        tell(reader, "%s is a section here; give [%s %s] and its settings below", option_row_of(id)->name,
             section_name(option_section_of(id)), option_section_of(id) == SECTION_app ? "ID" : "PATTERN");
    } else if (option_section_of(id) != reader->section) {
        tell(reader, "%s belongs into [%s]; move it there", option_row_of(id)->name,
             section_name(option_section_of(id)));
    } else if (reader->lines[id] > 0) {
        tell(reader, "%s is there twice, first in line %u; give it once", option_row_of(id)->name, reader->lines[id]);
    } else {
        return true;
    }
    return false;
}

static enum rc note_entries(struct reader *reader, enum option_id id, uint32_t before, struct option_error *error)
{
    enum rc rc = RC_OK;
    for (uint32_t i = before; rc == RC_OK && i < option_entries(reader->options, id); i++)
        rc = option_note_place(reader->options, id, i, reader->file, reader->line, error);
    return rc;
}

static enum rc set_option(struct reader *reader, enum option_id id, const char *value, struct option_error *error)
{
    bool is_list = option_type_is_list(option_row_of(id)->type);
    if (value[0] == '\0') return option_reset(reader->options, id, error);
    option_claim(reader->options, id, OPTION_FILE);
    uint32_t before = is_list ? option_entries(reader->options, id) : 0;
    enum rc rc = option_set_all(reader->options, id, OPTION_FILE, value, error);
    if (!is_list) reader->lines[id] = reader->line;
    if (rc == RC_OK && is_list && option_entries(reader->options, id) == before)
        return option_refuse(error, "holds no value; give %s", option_row_of(id)->unit);
    return rc == RC_OK ? note_entries(reader, id, before, error) : rc;
}

static void take_option(struct reader *reader, struct text name, const char *value)
{
    char text[MISTAKE_BYTES] = "";
    enum option_id id = find_option(reader->section, name);
    if (!may_stand(reader, id, name)) return;
    const struct option_error whole = {.text = text, .size = sizeof text};
    struct option_error error = option_error_begin(&whole, "%s: ", option_row_of(id)->name);
    judge_value(reader, set_option(reader, id, value, &error), value, text);
}

/* ---- apps and rules ---- */

static const struct setting_table *table_of(const struct reader *reader)
{
    return reader->section == SECTION_app ? &app_settings : &history_settings;
}

/* An option behind an app's settings: its section was forgotten. */
static bool is_option(struct reader *reader, struct text name)
{
    char plain[SPELLING_BYTES_MAX];
    enum option_id id = option_find(table_name(name, plain), NULL);
    if (id == OPTIONS_COUNT || !is_of_files(id)) return false;
    tell(reader, "%s is no setting of [%s], but an option; give it in [%s]", option_row_of(id)->name,
         section_name(reader->section), section_name(option_section_of(id)));
    return true;
}

static void take_setting(struct reader *reader, struct text name, const char *value)
{
    char text[MISTAKE_BYTES] = "";
    struct option_error error = {.text = text, .size = sizeof text};
    const struct setting_table *table = table_of(reader);
    bool is_app = reader->section == SECTION_app;
    if (!reader->is_begun) return; /* it was told why */
    const struct option_row *row = setting_find(table, name);
    if (row == NULL && is_option(reader, name)) return;
    uint64_t given = is_app ? reader->app.given : reader->rule.given;
    uint64_t bit = row != NULL ? UINT64_C(1) << (row - table->rows) : 0;
    if ((given & bit) != 0 && !option_type_is_list(row->type)) {
        tell(reader, "%s is there twice in this section; give it once", row->name);
        return;
    }
    if (row != NULL && value[0] == '\0') return; /* the default */
    enum rc rc = setting_put(table, is_app ? reader->app.id : reader->rule.pattern, name, value,
                             is_app ? (void *)&reader->app : &reader->rule, &error);
    judge_value(reader, rc, value, text);
}

/* Where the entry stands that keeps this one out. */
static void name_first(const struct reader *reader, enum option_id id, uint32_t entry, char text[MISTAKE_BYTES])
{
    const struct option_place *place = option_place_of(reader->options, id, entry);
    size_t used = strlen(text);
    if (place != NULL) snprintf(text + used, MISTAKE_BYTES - used, " (first in %.250s:%u)", place->file, place->line);
}

static enum rc add_app(struct reader *reader, struct option_error *error)
{
    struct app_list *apps = option_claim(reader->options, OPTION_app, OPTION_FILE);
    const struct app *first = app_of_id(apps, text_of(reader->app.id));
    enum rc rc = app_list_add(apps, &reader->app, error);
    if (rc == RC_OK) reader->app = (struct app){0};
    if (rc == RC_EINVAL && first != NULL)
        name_first(reader, OPTION_app, (uint32_t)(first - apps->items), error->text);
    return rc == RC_OK ? note_entries(reader, OPTION_app, apps->count - 1, error) : rc;
}

static enum rc add_rule(struct reader *reader, struct option_error *error)
{
    struct history_rule_list *rules = option_claim(reader->options, OPTION_history, OPTION_FILE);
    const struct history_rule *first = history_rule_of_pattern(rules, reader->rule.pattern);
    enum rc rc = history_rule_list_add(rules, &reader->rule, error);
    if (rc == RC_OK) reader->rule = (struct history_rule){0};
    if (rc == RC_EINVAL && first != NULL)
        name_first(reader, OPTION_history, (uint32_t)(first - rules->items), error->text);
    return rc == RC_OK ? note_entries(reader, OPTION_history, rules->count - 1, error) : rc;
}

/* Behind its last setting. What had a mistake is not added, so that nothing is told of it twice. */
static void end_section(struct reader *reader)
{
    char text[MISTAKE_BYTES] = "";
    struct option_error error = {.text = text, .size = sizeof text};
    if (reader->is_begun && !reader->is_wrong) {
        reader->line = reader->section_line;
        enum rc rc = reader->section == SECTION_app ? add_app(reader, &error) : add_rule(reader, &error);
        judge(reader, rc, reader->section_line, text);
    }
    app_fini(&reader->app);
    history_rule_fini(&reader->rule);
    reader->is_begun = reader->is_wrong = false;
}

static void begin_entry(struct reader *reader, struct text name)
{
    char text[MISTAKE_BYTES] = "";
    struct option_error error = {.text = text, .size = sizeof text};
    bool is_app = reader->section == SECTION_app;
    char *copy = strndup(name.at, name.count);
    enum rc rc = copy == NULL ? RC_ENOMEM
                 : is_app     ? app_begin(&reader->app, copy, &error)
                              : history_rule_begin(&reader->rule, copy, &error);
    free(copy);
    reader->section_line = reader->line;
    reader->is_begun = rc == RC_OK;
    judge(reader, rc, reader->line, text);
}

/* ---- sections ---- */

static const char *section_name_at(const void *names, size_t index)
{
    (void)names;
    return section_name((enum section)(index + 1)); /* `none` is nobody's */
}

static void refuse_section(struct reader *reader, struct text name)
{
    size_t meant = spelling_closest(name, section_name_at, NULL, SECTIONS_COUNT - 1);
    int shown = name.count < 60 ? (int)name.count : 60;
    if (meant < SECTIONS_COUNT - 1)
        tell(reader, "unknown section [%.*s]; did you mean [%s]?", shown, name.at, section_name_at(NULL, meant));
    else
        tell(reader,
             "unknown section [%.*s]; give server, tls, limits, apps, app ID, channels PATTERN, history, store, "
             "webhooks "
             "or log",
             shown, name.at);
}

/* [apps shop]: another section may have been meant, so that what stands in it is not told again. */
static void refuse_section_name(struct reader *reader, const struct ini_item *item)
{
    const char *name = section_name(reader->section), *meant = NULL;
    int shown = item->value.count < 60 ? (int)item->value.count : 60;
    if (reader->section == SECTION_apps) meant = section_name(SECTION_app);
    if (reader->section == SECTION_history) meant = section_name(SECTION_channels);
    if (meant != NULL)
        tell(reader, "[%s] has no name behind it; did you mean [%s %.*s]?", name, meant, shown, item->value.at);
    else
        tell(reader, "[%s] has no name behind it; give [%s]", name, name);
    reader->section = UNKNOWN;
}

static void take_section(struct reader *reader, const struct ini_item *item)
{
    enum section section = SECTION_none + 1;
    while (section < SECTIONS_COUNT && !text_is(item->name, section_name(section)))
        section++;
    reader->section = section;
    if (section == UNKNOWN)
        refuse_section(reader, item->name);
    else if (section == SECTION_app || section == SECTION_channels)
        begin_entry(reader, item->value);
    else if (item->value.count > 0)
        refuse_section_name(reader, item);
}

static void take_value(struct reader *reader, const struct ini_item *item)
{
    char *value = strndup(item->value.at, item->value.count);
    if (value == NULL) {
        reader->rc = RC_ENOMEM;
        return;
    }
    if (reader->section == SECTION_none)
        tell(reader, "a value stands before the first section; begin with one, as [server]");
    else if (reader->section == SECTION_app || reader->section == SECTION_channels)
        take_setting(reader, item->name, value);
    else if (reader->section != UNKNOWN)
        take_option(reader, item->name, value);
    text_file_free(value, item->value.count);
}

/* ---- files ---- */

static bool may_go_on(const struct reader *reader)
{
    return reader->rc == RC_OK && !mistakes_are_enough(&reader->mistakes);
}

static void read_text(struct reader *reader, struct text text)
{
    struct ini ini;
    struct ini_item item;
    ini_init(&ini, text);
    reader->section = SECTION_none;
    memset(reader->lines, 0, sizeof reader->lines);
    while (may_go_on(reader) && (item = ini_next(&ini)).kind != INI_END) {
        if (item.kind == INI_SECTION || item.is_header) end_section(reader);
        reader->line = item.line;
        if (item.is_header) reader->section = UNKNOWN;
        if (item.kind == INI_MISTAKE) tell_at(reader, item.line, item.mistake);
        if (item.kind == INI_SECTION) take_section(reader, &item);
        if (item.kind == INI_VALUE) take_value(reader, &item);
    }
    end_section(reader);
}

/* Keeps the name as long as the options; NULL: out of memory. */
static const char *keep_name(struct reader *reader, const char *name)
{
    struct text_list *files = &reader->options->files;
    struct option_error none = {.text = (char[1]){""}, .size = 1};
    reader->rc = option_type_text_list.read(name, (struct option_bounds){.max = UINT32_MAX}, files, &none);
    return reader->rc == RC_OK ? files->items[files->count - 1] : NULL;
}

static void read_file(struct reader *reader, const char *name)
{
    char reason[MISTAKE_BYTES], *text;
    size_t bytes;
    if ((reader->file = keep_name(reader, name)) == NULL) return;
    enum rc rc = text_file_read(name, FILE_BYTES_MAX, &text, &bytes, reason, sizeof reason);
    if (rc == RC_OK) {
        read_text(reader, (struct text){.at = text, .count = bytes});
        text_file_free(text, bytes);
    } else {
        judge(reader, rc == RC_ENOMEM ? rc : RC_EINVAL, 0, reason);
        reader->is_wrong = false;
    }
}

static int is_drop_in(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return entry->d_name[0] != '.' && length > strlen(ENDING) &&
           strcmp(entry->d_name + length - strlen(ENDING), ENDING) == 0;
}

static int compare(const struct dirent **one, const struct dirent **other)
{
    return strcmp((*one)->d_name, (*other)->d_name);
}

static void read_drop_in(struct reader *reader, const char *folder, const char *name)
{
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        reader->rc = RC_ENOMEM;
        return;
    }
    struct stat status;
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        char text[MISTAKE_BYTES];
        snprintf(text, sizeof text, "%.250s is a folder, where files of that ending are read; give it another name",
                 path);
        judge(reader, RC_EINVAL, 0, text);
    } else {
        read_file(reader, path);
    }
    free(path);
}

static void read_folder(struct reader *reader, const char *folder)
{
    struct dirent **entries = NULL;
    char text[MISTAKE_BYTES];
    int count = scandir(folder, &entries, is_drop_in, compare);
    if (count < 0 && errno != ENOENT) {
        const char *cure = errno == ENOTDIR ? "it is where further files would be: make it a folder, or move it away"
                                            : "check who may read it";
        snprintf(text, sizeof text, "%.250s cannot be read: %s; %s", folder, strerror(errno), cure);
        judge(reader, RC_EINVAL, 0, text);
    }
    for (int i = 0; i < count; i++) {
        if (may_go_on(reader)) read_drop_in(reader, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

/* The folder conf.d beside the file. */
static void read_drop_ins(struct reader *reader, const char *name)
{
    const char *slash = strrchr(name, '/');
    char *folder;
    if (asprintf(&folder, "%.*sconf.d", slash != NULL ? (int)(slash + 1 - name) : 0, name) < 0) {
        reader->rc = RC_ENOMEM;
        return;
    }
    read_folder(reader, folder);
    free(folder);
}

enum rc config_file_read(struct options *options, const char *name, struct option_error *error)
{
    struct reader reader = {.options = options};
    mistakes_init(&reader.mistakes, error);
    read_file(&reader, name);
    if (reader.rc == RC_OK) read_drop_ins(&reader, name);
    if (reader.rc == RC_ENOMEM) return option_out_of_memory(error);
    return mistakes_end(&reader.mistakes);
}
