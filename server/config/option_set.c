/* server/config/option_set.c - the table of all options, their values set one by one, and where each was given. */
#include "server/config/option_set.h"

#include "server/config/spelling.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX    SPELLING_BYTES_MAX
#define WARNING_BYTES_MAX 512
#define BLANKS            " \t\r\n"
#define SEPARATORS        "," BLANKS

static const struct option_row option_rows[OPTIONS_COUNT] = {
#define OPTION_GROUP(title)
#define OPTION(type_, name_, section_, change_, ...) \
    [OPTION_##name_] = OPTION_ROW(&option_type_##type_, #name_, offsetof(struct options, name_), __VA_ARGS__),
#include "server/config/options.def"
#undef OPTION
};

static const enum section option_sections[OPTIONS_COUNT] = {
#define OPTION(type_, name_, section_, ...) [OPTION_##name_] = SECTION_##section_,
#include "server/config/options.def"
#undef OPTION
};

static const enum option_change option_changes[OPTIONS_COUNT] = {
#define OPTION(type_, name_, section_, change_, ...) [OPTION_##name_] = OPTION_##change_,
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
};

static const struct {
    const char *name, *prefix, *about;
} sections[SECTIONS_COUNT] = {
#define SECTION(name_, prefix_, about_) [SECTION_##name_] = {.name = #name_, .prefix = (prefix_), .about = (about_)},
#include "server/config/section.def"
#undef SECTION
};

const struct option_row *option_row_of(enum option_id id)
{
    assert(id < OPTIONS_COUNT);
    return &option_rows[id];
}

enum section option_section_of(enum option_id id)
{
    assert(id < OPTIONS_COUNT);
    return option_sections[id];
}

enum option_change option_change_of(enum option_id id)
{
    assert(id < OPTIONS_COUNT);
    return option_changes[id];
}

const char *section_name(enum section section)
{
    return sections[section].name;
}

const char *section_prefix(enum section section)
{
    return sections[section].prefix;
}

const char *section_about(enum section section)
{
    return sections[section].about;
}

/* ---- by name ---- */

enum option_id option_find(struct text given, char (*spell)(char))
{
    char name[NAME_BYTES_MAX];
    enum option_id id = 0;
    for (; id < OPTIONS_COUNT; id++)
        if (text_is(given, spell == NULL ? option_rows[id].name
                                         : option_spell(option_rows[id].name, spell, name, sizeof name)))
            break;
    return id;
}

enum option_id option_find_closest(struct text given)
{
    return (enum option_id)spelling_closest(given, option_row_name, option_rows, OPTIONS_COUNT);
}

/* ---- values ---- */

void *option_value_of(struct options *options, enum option_id id)
{
    return (char *)options + option_rows[id].offset;
}

uint32_t option_entries(const struct options *options, enum option_id id)
{
    const struct option_row *row = &option_rows[id];
    return option_type_is_list(row->type) ? row->type->count((const char *)options + row->offset) : 1;
}

void *option_claim(struct options *options, enum option_id id, enum option_source source)
{
    const struct option_row *row = &option_rows[id];
    void *value = option_value_of(options, id);
    if (option_type_is_list(row->type) && options->sources[id] != source) row->type->fini(value);
    options->sources[id] = source;
    return value;
}

enum rc option_set(struct options *options, enum option_id id, enum option_source source, const char *text,
                   struct option_error *error)
{
    void *value = option_claim(options, id, source);
    return option_rows[id].type->read(text, option_rows[id].bounds, value, error);
}

/* Secrets that are mounted as files bring blanks and newlines with them, which nobody means. */
static char *trim(char *text)
{
    text += strspn(text, BLANKS);
    size_t length = strlen(text);
    while (length > 0 && strchr(BLANKS, text[length - 1]) != NULL)
        length--;
    text[length] = '\0';
    return text;
}

/* `text` is taken apart. */
static enum rc set_trimmed(struct options *options, enum option_id id, enum option_source source, char *text,
                           struct option_error *error)
{
    enum rc rc = RC_OK;
    if (!option_type_is_list(option_rows[id].type)) return option_set(options, id, source, trim(text), error);
    option_claim(options, id, source); /* also when no entry follows */
    const char *separators = option_rows[id].type->separators;
    for (char *entry; rc == RC_OK && (entry = strsep(&text, separators != NULL ? separators : SEPARATORS)) != NULL;)
        if (entry[strspn(entry, BLANKS)] != '\0') rc = option_set(options, id, source, trim(entry), error);
    return rc;
}

enum rc option_set_all(struct options *options, enum option_id id, enum option_source source, const char *text,
                       struct option_error *error)
{
    char *copy = strdup(text);
    if (copy == NULL) return option_out_of_memory(error);
    enum rc rc = set_trimmed(options, id, source, copy, error);
    explicit_bzero(copy, strlen(text)); /* it may hold secrets */
    free(copy);
    return rc;
}

enum rc option_reset(struct options *options, enum option_id id, struct option_error *error)
{
    const struct option_row *row = &option_rows[id];
    if (row->type->fini != NULL) row->type->fini(option_value_of(options, id));
    return option_set_all(options, id, OPTION_DEFAULT, row->value_default, error);
}

/* ---- places ---- */

enum rc option_note_place(struct options *options, enum option_id id, uint32_t entry, const char *file, uint32_t line,
                          struct option_error *error)
{
    uint32_t count = options->places_count;
    if ((count & (count - 1)) == 0) { /* full: there is room for the next power of two */
        struct option_place *places = reallocarray(options->places, count > 0 ? 2 * count : 1, sizeof places[0]);
        if (places == NULL) return option_out_of_memory(error);
        options->places = places;
    }
    options->places[options->places_count++] = (struct option_place){
        .option = id, .source = options->sources[id], .entry = entry, .line = line, .file = file};
    return RC_OK;
}

const struct option_place *option_place_of(const struct options *options, enum option_id id, uint32_t entry)
{
    for (uint32_t i = options->places_count; i-- > 0;) {
        const struct option_place *place = &options->places[i];
        if (place->option == id && place->entry == entry && place->source == options->sources[id]) return place;
    }
    return NULL;
}

const char *option_spell_given(const struct options *options, enum option_id id, uint32_t entry, bool is_in_front,
                               char text_r[OPTION_GIVEN_BYTES_MAX])
{
    char name[NAME_BYTES_MAX];
    const struct option_place *place = option_place_of(options, id, entry);
    bool is_variable = options->sources[id] == OPTION_ENVIRONMENT;
    option_spell(option_rows[id].name, is_variable ? option_spell_variable : option_spell_flag, name, sizeof name);
    if (place == NULL)
        snprintf(text_r, OPTION_GIVEN_BYTES_MAX, "%s%s", is_variable ? OPTION_PREFIX : "--", name);
    else if (is_in_front)
        snprintf(text_r, OPTION_GIVEN_BYTES_MAX, "%.250s:%u: %s", place->file, place->line, option_rows[id].name);
    else
        snprintf(text_r, OPTION_GIVEN_BYTES_MAX, "%s (%.250s:%u)", option_rows[id].name, place->file, place->line);
    return text_r;
}

static void add_warning(struct options *options, const char *line)
{
    size_t used = strlen(options->warnings);
    snprintf(options->warnings + used, sizeof options->warnings - used, "%s%s", used > 0 ? "\n" : "", line);
}

void option_warn(struct options *options, const char *format, ...)
{
    static const char more[] = "and more";
    char line[WARNING_BYTES_MAX];
    size_t used = strlen(options->warnings);
    if (used >= sizeof more && strcmp(options->warnings + used + 1 - sizeof more, more) == 0) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    for (char *at = line; *at != '\0'; at++)
        if (iscntrl((unsigned char)*at)) *at = '?';
    bool has_room = used + strlen(line) + sizeof more + 2 < sizeof options->warnings;
    add_warning(options, has_room ? line : more);
}
