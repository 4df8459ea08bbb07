/* server/config/apps_file.c - apps from a file that has nothing else. */
#include "server/config/apps_file.h"

#include "server/config/ini.h"
#include "server/config/mistakes.h"
#include "server/config/option_set.h"
#include "server/system/text_file.h"

#include <string.h>

#define FILE_BYTES_MAX (64 * 1024 * 1024)

/* Where the app is whose ID the line has too. */
static void name_first(const struct options *options, struct text line, char text[MISTAKE_BYTES])
{
    const char *colon = memchr(line.at, ':', line.count);
    const struct app *first = colon != NULL ? app_of_id(&options->app, text_between(line.at, colon)) : NULL;
    const struct option_place *place =
        first != NULL ? option_place_of(options, OPTION_app, (uint32_t)(first - options->app.items)) : NULL;
    size_t used = strlen(text);
    if (place != NULL) snprintf(text + used, MISTAKE_BYTES - used, " (first in %.250s:%u)", place->file, place->line);
}

/* Adds the app of a line, and notes where that stands. `text` is the error. */
static enum rc add(struct options *options, const struct ini_item *line, char text[MISTAKE_BYTES])
{
    struct option_error error = {.text = text, .size = MISTAKE_BYTES};
    char *copy = strndup(line->name.at, line->name.count);
    if (copy == NULL) return RC_ENOMEM;
    enum rc rc = option_set(options, OPTION_app, options->sources[OPTION_apps_file], copy, &error);
    text_file_free(copy, line->name.count);
    if (rc == RC_EINVAL) name_first(options, line->name, text);
    if (rc != RC_OK) return rc;
    return option_note_place(options, OPTION_app, options->app.count - 1, options->apps_file, line->line, &error);
}

static enum rc read_lines(struct options *options, struct text whole, struct mistakes *mistakes)
{
    struct ini ini;
    struct ini_item line;
    enum rc rc = RC_OK;
    ini_init(&ini, whole);
    while (rc != RC_ENOMEM && !mistakes_are_enough(mistakes) && (line = ini_next_line(&ini)).kind != INI_END) {
        char text[MISTAKE_BYTES] = "";
        if (line.kind == INI_VALUE) rc = add(options, &line, text);
        if (line.kind == INI_MISTAKE) mistakes_add(mistakes, options->apps_file, line.line, line.mistake);
        if (line.kind == INI_VALUE && rc == RC_EINVAL) mistakes_add(mistakes, options->apps_file, line.line, text);
    }
    return rc == RC_ENOMEM ? rc : RC_OK;
}

enum rc apps_file_read(struct options *options, struct option_error *error)
{
    char *text, reason[MISTAKE_BYTES], given[OPTION_GIVEN_BYTES_MAX];
    size_t bytes;
    struct mistakes mistakes;
    bool is_replaced = options->sources[OPTION_app] > options->sources[OPTION_apps_file];
    if (options->apps_file[0] == '\0' || is_replaced) return RC_OK;
    option_claim(options, OPTION_app, options->sources[OPTION_apps_file]);
    enum rc rc = text_file_read(options->apps_file, FILE_BYTES_MAX, &text, &bytes, reason, sizeof reason);
    if (rc == RC_ENOMEM) return option_out_of_memory(error);
    mistakes_init(&mistakes, error);
    if (rc != RC_OK) {
        char whole[OPTION_GIVEN_BYTES_MAX + MISTAKE_BYTES + 2];
        snprintf(whole, sizeof whole, "%s: %s", option_spell_given(options, OPTION_apps_file, 0, true, given),
                 reason);
        mistakes_add(&mistakes, "", 0, whole);
        return mistakes_end(&mistakes);
    }
    rc = read_lines(options, (struct text){.at = text, .count = bytes}, &mistakes);
    text_file_free(text, bytes);
    return rc == RC_OK ? mistakes_end(&mistakes) : option_out_of_memory(error);
}
