/* server/config/options_follow.c - one option after the other, by the table. */
#include "server/config/options_follow.h"

#include "server/config/app_follow.h"
#include "server/config/history_follow.h"
#include "server/config/option_set.h"
#include "server/config/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Apps and rules are followed by files of their own; what no file has is given once. */
static bool is_plain(enum option_id id)
{
    return option_section_of(id) != SECTION_none && id != OPTION_app && id != OPTION_history;
}

static char *text_of_option(const struct options *options, enum option_id id)
{
    const struct option_row *row = option_row_of(id);
    return option_row_text(row, (const char *)options + row->offset);
}

/* ---- what was given ---- */

enum rc options_given_note(struct options_given *given, const struct options *options)
{
    *given = (struct options_given){0};
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++) {
        if (!is_plain(id) || option_change_of(id) == OPTION_LIVE) continue;
        given->texts[id] = text_of_option(options, id);
        if (given->texts[id] != NULL) continue;
        options_given_fini(given);
        return RC_ENOMEM;
    }
    return RC_OK;
}

void options_given_fini(struct options_given *given)
{
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++)
        free(given->texts[id]);
    *given = (struct options_given){0};
}

/* ---- following ---- */

/* Gives the option the value that it has now, entry by entry as it would be given. */
static enum rc keep(struct options *next, const struct options *now, enum option_id id)
{
    const struct option_row *row = option_row_of(id);
    const void *value = (const char *)now + row->offset;
    char ignored[OPTIONS_ERROR_BYTES];
    struct option_error error = {.text = ignored, .size = sizeof ignored};
    enum rc rc = RC_OK;
    if (row->type->fini != NULL) row->type->fini(option_value_of(next, id));
    uint32_t count = option_entries(now, id);
    for (uint32_t i = 0; rc == RC_OK && i < count; i++) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&text, &bytes);
        if (out == NULL) return RC_ENOMEM;
        row->type->write(out, value, i);
        rc = fclose(out) == 0 ? option_set(next, id, now->sources[id], text, &error) : RC_ENOMEM;
        free(text);
    }
    next->sources[id] = now->sources[id];
    return rc == RC_OK ? RC_OK : RC_ENOMEM; /* it was read once */
}

/* TLS comes and goes with a restart, and all that belongs to it. */
static bool needs_restart(const struct options *next, const struct options *now, enum option_id id)
{
    bool has_tls = now->tls_listen.count > 0, wants_tls = next->tls_listen.count > 0;
    if (option_section_of(id) == SECTION_tls && has_tls != wants_tls) return true;
    return option_change_of(id) == OPTION_RESTART;
}

/* Secrets look alike as texts. */
static bool is_same(const struct options *next, const struct options *now, enum option_id id, const char *to,
                    const char *from)
{
    const struct option_row *row = option_row_of(id);
    if (row->type != &option_type_secret) return strcmp(from, to) == 0;
    return value_is_same_text((const char *)now + row->offset, (const char *)next + row->offset, sizeof(char *));
}

static void tell(struct changes *changes, enum option_id id, const char *to, const char *from, bool is_kept)
{
    const char *name = option_row_of(id)->name;
    if (is_kept)
        changes_defer(changes, "%s: %s -> %s", name, from, to);
    else if (strcmp(from, to) == 0)
        changes_apply(changes, "%s: another one", name);
    else
        changes_apply(changes, "%s: %s -> %s", name, from, to);
}

static enum rc follow_option(struct options *next, const struct options *now, const struct options_given *given,
                             enum option_id id, bool is_kept, struct changes *changes)
{
    char *to = text_of_option(next, id);
    char *from = given->texts[id] != NULL ? strdup(given->texts[id]) : text_of_option(now, id);
    enum rc rc = to != NULL && from != NULL ? RC_OK : RC_ENOMEM;
    if (rc == RC_OK && !is_same(next, now, id, to, from)) tell(changes, id, to, from, is_kept);
    free(to);
    free(from);
    return rc == RC_OK && is_kept ? keep(next, now, id) : rc;
}

enum rc options_follow(struct options *next, const struct options *now, const struct options_given *given,
                       struct follow *follow, char *reason_r, size_t reason_size)
{
    bool is_kept[OPTIONS_COUNT];
    enum rc rc = RC_OK;
    *follow = (struct follow){0};
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++)
        is_kept[id] = needs_restart(next, now, id); /* before any is changed */
    for (enum option_id id = 0; rc == RC_OK && id < OPTIONS_COUNT; id++)
        if (is_plain(id)) rc = follow_option(next, now, given, id, is_kept[id], &follow->changes);
    if (rc == RC_OK)
        rc = history_follow(&next->history, &now->history, &follow->has_other_patterns, &follow->changes);
    if (rc == RC_OK) rc = app_list_follow(next, now, &follow->shuts_apps, &follow->changes);
    if (rc == RC_EFULL)
        snprintf(reason_r, reason_size, "more than %d apps have come and gone since the start; restart the server",
                 APP_INDEXES_MAX);
    if (rc == RC_ENOMEM) snprintf(reason_r, reason_size, "out of memory");
    return rc;
}
