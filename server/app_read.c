/* server/app_read.c - apps from text, "ID:KEY:SECRET name=value ...".
 *
 * Whoever puts a blank into a secret makes a setting of its end. That is why errors show a setting's name or value
 * only where an equals sign stands between the two, and of the credentials nothing but an ID that is one. */
#include "server/app.h"
#include "server/options_row.h"
#include "server/spelling.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BLANKS           " \t\r\n"
#define TOKEN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define TOKEN_BYTES_MAX  64
#define SECRET_BYTES_MAX 128

static const struct option_row settings[] = {
#define APP_SETTING(type_, name_, default_, min_, max_, unit_, help_) \
    {.name = #name_,                                                  \
     .value_default = (default_),                                     \
     .unit = (unit_),                                                 \
     .help = (help_),                                                 \
     .type = &option_type_##type_,                                    \
     .bounds = {.min = (min_), .max = (max_)},                        \
     .offset = offsetof(struct app, name_)},
#include "server/app_setting.def"
#undef APP_SETTING
};
#define SETTINGS_COUNT (sizeof settings / sizeof settings[0])

static const char *setting_name_at(size_t index)
{
    return settings[index].name;
}

static void secret_free(char *secret)
{
    if (secret != NULL) explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void app_fini(struct app *app)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++)
        if (settings[i].type->fini != NULL) settings[i].type->fini((char *)app + settings[i].offset);
    free(app->id);
    free(app->key);
    secret_free(app->secret);
    *app = (struct app){0};
}

static bool is_token(const char *text)
{
    size_t length = strlen(text);
    return length >= 1 && length <= TOKEN_BYTES_MAX && strspn(text, TOKEN_CHARACTERS) == length;
}

static bool is_secret(const char *text)
{
    size_t length = 0;
    while (text[length] > ' ' && text[length] <= '~')
        length++;
    return text[length] == '\0' && length >= 1 && length <= SECRET_BYTES_MAX;
}

/* Takes "ID:KEY:SECRET" apart. */
static enum rc read_credentials(struct app *app, char *word, struct option_error *error)
{
    const char *id = strsep(&word, ":");
    const char *key = strsep(&word, ":");
    const char *secret = word; /* further colons are its own */
    if (secret == NULL)
        return option_refuse(error, "an app's ID, key or secret is missing; give ID:KEY:SECRET, then its settings");
    if (!is_token(id))
        return option_refuse(error, "the ID is not valid; give 1 to %d characters of A-Z a-z 0-9 _ -",
                             TOKEN_BYTES_MAX);
    if (!is_token(key))
        return option_refuse(error, "the key of %s is not valid; give 1 to %d characters of A-Z a-z 0-9 _ -", id,
                             TOKEN_BYTES_MAX);
    if (!is_secret(secret))
        return option_refuse(error, "the secret of %s is not valid; give 1 to %d printable characters without blank",
                             id, SECRET_BYTES_MAX);
    app->id = strdup(id);
    app->key = strdup(key);
    app->secret = strdup(secret);
    return app->id != NULL && app->key != NULL && app->secret != NULL ? RC_OK : option_out_of_memory(error);
}

static enum rc read_defaults(struct app *app, struct option_error *error)
{
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < SETTINGS_COUNT; i++) {
        const struct option_row *row = &settings[i];
        rc = row->type->read(row->value_default, row->bounds, (char *)app + row->offset, error);
        assert(rc != RC_EINVAL); /* app_setting.def gives a default that its own row refuses */
    }
    return rc;
}

/* The setting of this name, which may have '-' for '_'; NULL: there is none. */
static const struct option_row *find_setting(const char *name)
{
    for (size_t i = 0; i < SETTINGS_COUNT; i++) {
        const char *own = settings[i].name;
        size_t at = 0;
        while (own[at] != '\0' && (own[at] == name[at] || (own[at] == '_' && name[at] == '-')))
            at++;
        if (own[at] == '\0' && name[at] == '\0') return &settings[i];
    }
    return NULL;
}

static enum rc refuse_setting(const struct app *app, const char *name, struct option_error *error)
{
    size_t meant = spelling_closest(text_of(name), setting_name_at, SETTINGS_COUNT);
    if (meant == SETTINGS_COUNT)
        return option_refuse(error, "unknown setting " OPTION_SHOWN " of %s; see --help", name, app->id);
    return option_refuse(error, "unknown setting " OPTION_SHOWN " of %s; did you mean %s? See --help", name, app->id,
                         settings[meant].name);
}

/* One word "name=value". */
static enum rc read_setting(struct app *app, char *word, struct option_error *error)
{
    char *value = word;
    const char *name = strsep(&value, "=");
    if (value == NULL)
        return option_refuse(
            error, "a setting of %s has no value; give name=value, and no blanks in the secret or in values",
            app->id);
    const struct option_row *row = find_setting(name);
    if (row == NULL) return refuse_setting(app, name, error);
    struct option_error rest = option_error_begin(error, "%s of %s: ", row->name, app->id);
    return row->type->read(value, row->bounds, (char *)app + row->offset, &rest);
}

/* The next word, "" for none. */
static char *next_word(char **rest)
{
    *rest += strspn(*rest, BLANKS);
    return **rest == '\0' ? *rest : strsep(rest, BLANKS);
}

static bool is_web_address(const char *text)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t length = strlen(schemes[i]);
        if (strncasecmp(text, schemes[i], length) == 0) return text[length] != '\0' && text[length] != '/';
    }
    return false;
}

/* Reads the whole app; `text` is taken apart. */
static enum rc read_app(struct app *app, char *text, struct option_error *error)
{
    char *rest = text;
    enum rc rc = read_credentials(app, next_word(&rest), error);
    if (rc == RC_OK) rc = read_defaults(app, error);
    while (rc == RC_OK && rest != NULL) {
        char *word = next_word(&rest);
        if (word[0] == '\0') break;
        rc = read_setting(app, word, error);
    }
    if (rc == RC_OK && app->webhook[0] != '\0' && !is_web_address(app->webhook))
        return option_refuse(error,
                             "webhook of %s: " OPTION_SHOWN " is no web address; give http://... or https://...",
                             app->id, app->webhook);
    return rc;
}

/* Appends, unless another one has the ID or the key. Afterwards the list owns what *app points to. */
static enum rc append(struct app_list *list, const struct app *app, struct option_error *error)
{
    if (app_of_id(list, text_of(app->id)) != NULL)
        return option_refuse(error, "the ID %s is there twice; give each app its own", app->id);
    if (app_of_key(list, text_of(app->key)) != NULL)
        return option_refuse(error, "the key of %s is another app's too; give each app its own", app->id);
    struct app *items = reallocarray(list->items, list->count + 1, sizeof items[0]);
    if (items == NULL) return option_out_of_memory(error);
    items[list->count++] = *app;
    list->items = items;
    return RC_OK;
}

static enum rc app_list_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    struct app_list *list = value;
    struct app app = {.index = (uint16_t)list->count};
    if (list->count >= bounds.max)
        return option_refuse(error, "more than %llu apps; give fewer", (unsigned long long)bounds.max);
    char *copy = strdup(text);
    if (copy == NULL) return option_out_of_memory(error);
    enum rc rc = read_app(&app, copy, error);
    if (rc == RC_OK) rc = append(list, &app, error);
    if (rc != RC_OK) app_fini(&app);
    explicit_bzero(copy, strlen(text)); /* not strlen(copy): it is in pieces */
    free(copy);
    return rc;
}

static uint32_t app_list_count(const void *value)
{
    return ((const struct app_list *)value)->count;
}

static void app_list_fini(void *value)
{
    struct app_list *list = value;
    for (uint32_t i = 0; i < list->count; i++)
        app_fini(&list->items[i]);
    free(list->items);
    *list = (struct app_list){0};
}

/* Semicolons between apps: commas and blanks stand inside. */
const struct option_type option_type_app_list = {
    .read = app_list_read, .count = app_list_count, .fini = app_list_fini, .separators = ";"};

enum {
#define WEBHOOK(name, is_default) | (is_default) << WEBHOOK_##name
    WEBHOOKS_DEFAULT = 0
#include "server/webhook.def"
#undef WEBHOOK
};

/* What may stand between the commas of webhook_events. */
static const struct {
    const char *text;
    option_webhooks kinds;
} webhook_words[] = {
    {"default", WEBHOOKS_DEFAULT},
    {"all", (UINT32_C(1) << WEBHOOK_KINDS_MAX) - 1},
    {"none", 0},
#define WEBHOOK(name, is_default) {#name, UINT32_C(1) << WEBHOOK_##name},
#include "server/webhook.def"
#undef WEBHOOK
};
#define WEBHOOK_WORDS (sizeof webhook_words / sizeof webhook_words[0])

static enum rc refuse_webhook(struct text word, struct option_error *error)
{
    static const char names[] =
#define WEBHOOK(name, is_default) " " #name
#include "server/webhook.def"
#undef WEBHOOK
        ;
    return option_refuse(error, "\"%.*s\" is no webhook event; give default, all, none or, with commas between,%s",
                         word.count < 60 ? (int)word.count : 60, word.at, names);
}

static enum rc webhooks_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    (void)bounds;
    option_webhooks kinds = 0;
    const char *word = text, *end;
    do {
        size_t at = 0;
        end = word + strcspn(word, ",");
        while (at < WEBHOOK_WORDS && !text_is(text_between(word, end), webhook_words[at].text))
            at++;
        if (at == WEBHOOK_WORDS) return refuse_webhook(text_between(word, end), error);
        kinds |= webhook_words[at].kinds;
        word = end + 1;
    } while (*end != '\0');
    *(option_webhooks *)value = kinds;
    return RC_OK;
}

const struct option_type option_type_webhooks = {.read = webhooks_read};
