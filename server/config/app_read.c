/* server/config/app_read.c - apps from text, "ID:KEY:SECRET name=value ...", and what --help says of that.
 *
 * Whoever puts a blank into a secret makes a setting of its end: that is why server/config/setting.c never shows a word
 * without an equals sign. Of the credentials errors show nothing but an ID that is one. */
#include "server/config/app.h"
#include "server/config/option_row.h"
#include "server/config/setting.h"
#include "server/config/value.h"
#include "server/system/random_word.h"

#include <stdlib.h>
#include <string.h>

/* Key and secret stand in front of the settings where an app is a text, and are settings in a file. */
#define CREDENTIALS 2

static const struct option_row rows[] = {
    OPTION_ROW(&option_type_app_token, "key", offsetof(struct app, key), "", 1, APP_TOKEN_BYTES_MAX, "KEY",
               "As it stands in /app/KEY: 1 to 64 characters of A-Z a-z 0-9 _ -. Must be given"),
    OPTION_ROW(&option_type_secret, "secret", offsetof(struct app, secret), "", 1, 128, "SECRET",
               "Signs: 1 to 128 printable characters without blank, or @FILE, which has them. Must be given"),
#define APP_SETTING(type_, name_, ...) \
    OPTION_ROW(&option_type_##type_, #name_, offsetof(struct app, name_), __VA_ARGS__),
#include "server/config/app_setting.def"
#undef APP_SETTING
};

_Static_assert(sizeof rows / sizeof rows[0] <= 64, "whether each was given is a bit");

const struct setting_table app_settings = {
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .given = offsetof(struct app, given),
    .bare = offsetof(struct app, has_bare_secret),
    .give = "name=value, and no blanks in the secret or in values",
};

void app_fini(struct app *app)
{
    settings_fini(&app_settings, app);
    free(app->id);
    *app = (struct app){0};
}

enum rc app_copy(struct app *to, const struct app *from)
{
    *to = (struct app){.index = from->index, .given = from->given, .is_gone = from->is_gone};
    to->has_bare_secret = from->has_bare_secret;
    bool is_whole = VALUE_COPY(&to->id, &from->id);
    is_whole &= VALUE_COPY(&to->key, &from->key); /* all of them, so that each is there to be given back */
    is_whole &= VALUE_COPY(&to->secret, &from->secret);
#define APP_SETTING(type, name, ...) is_whole &= VALUE_COPY(&to->name, &from->name);
#include "server/config/app_setting.def"
#undef APP_SETTING
    if (is_whole) return RC_OK;
    app_fini(to);
    return RC_ENOMEM;
}

uint64_t app_differences(const struct app *one, const struct app *other)
{
    uint64_t bit = 1, bits = 0;
#define COMPARE(name)                                          \
    if (!VALUE_IS_SAME(&one->name, &other->name)) bits |= bit; \
    bit <<= 1;
    COMPARE(key)
    COMPARE(secret)
#define APP_SETTING(type, name, ...) COMPARE(name)
#include "server/config/app_setting.def"
#undef APP_SETTING
#undef COMPARE
    return bits;
}

enum rc app_begin(struct app *app, const char *id, struct option_error *error)
{
    *app = (struct app){0};
    if (id[0] == '\0')
        return option_refuse(error, "the ID is missing; give 1 to %d characters of A-Z a-z 0-9 _ -",
                             APP_TOKEN_BYTES_MAX);
    struct option_error rest = option_error_begin(error, "the ID is ");
    enum rc rc = option_type_app_token.read(id, (struct option_bounds){0}, &app->id, &rest);
    return rc == RC_OK ? settings_init(&app_settings, app, error) : rc;
}

static enum rc check_credentials(const struct app *app, struct option_error *error)
{
    if (app->key[0] != '\0' && app->secret[0] != '\0') return RC_OK;
    return option_refuse(error, "app %s has no %s; each needs a key and a secret", app->id,
                         app->key[0] == '\0' ? "key" : "secret");
}

/* Takes "ID:KEY:SECRET" apart. */
static enum rc read_credentials(struct app *app, char *word, struct option_error *error)
{
    const char *id = strsep(&word, ":");
    const char *key = strsep(&word, ":");
    const char *secret = word; /* further colons are its own */
    if (secret == NULL)
        return option_refuse(error, "an app's ID, key or secret is missing; give ID:KEY:SECRET, then its settings");
    enum rc rc = app_begin(app, id, error);
    if (rc == RC_OK) rc = setting_put(&app_settings, app->id, text_of("key"), key, app, error);
    if (rc == RC_OK) rc = setting_put(&app_settings, app->id, text_of("secret"), secret, app, error);
    return rc == RC_OK ? check_credentials(app, error) : rc;
}

/* Reads the whole app; `text` is taken apart. */
static enum rc read_app(struct app *app, char *text, struct option_error *error)
{
    char *rest = text;
    enum rc rc = read_credentials(app, setting_next_word(&rest), error);
    return rc == RC_OK ? settings_read(&app_settings, app->id, rest, app, error) : rc;
}

enum rc app_list_add(struct app_list *list, const struct app *app, struct option_error *error)
{
    enum rc rc = check_credentials(app, error);
    if (rc != RC_OK) return rc;
    if (app_of_id(list, text_of(app->id)) != NULL)
        return option_refuse(error, "the ID %s is there twice; give each app its own", app->id);
    if (app_of_key(list, text_of(app->key)) != NULL)
        return option_refuse(error, "the key of %s is another app's too; give each app its own", app->id);
    if (list->count >= APPS_MAX) return option_refuse(error, "more than %d apps; give fewer", APPS_MAX);
    return app_list_append(list, app) == RC_OK ? RC_OK : option_out_of_memory(error);
}

static enum rc app_list_read(const char *text, struct option_bounds bounds, void *value, struct option_error *error)
{
    struct app app = {0};
    (void)bounds;
    char *copy = strdup(text);
    if (copy == NULL) return option_out_of_memory(error);
    enum rc rc = read_app(&app, copy, error);
    if (rc == RC_OK) rc = app_list_add(value, &app, error);
    if (rc != RC_OK) app_fini(&app);
    explicit_bzero(copy, strlen(text)); /* not strlen(copy): it is in pieces */
    free(copy);
    return rc;
}

enum rc app_list_complete(struct app_list *apps, struct option_error *error)
{
    if (apps->count > 0) return RC_OK;
    char text[] = "rooms:KKKKKKKKKKKKKKKKKKKK:SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS";
    char *key = strchr(text, ':') + 1, *secret = strrchr(text, ':') + 1;
    random_word(key, (size_t)(secret - 1 - key));
    random_word(secret, strlen(secret));
    enum rc rc = app_list_read(text, (struct option_bounds){0}, apps, error);
    explicit_bzero(text, sizeof text);
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
    free(list->found);
    *list = (struct app_list){0};
}

/* Semicolons between apps: commas and blanks stand inside. */
const struct option_type option_type_app_list = {
    .read = app_list_read, .count = app_list_count, .fini = app_list_fini, .separators = ";"};

void app_help(FILE *out)
{
    fputs("\nApp settings\n"
          "  They follow the credentials: --app '1001:KEY:SECRET client_events=no members_max=500'.\n",
          out);
    struct setting_table settings = {.rows = rows + CREDENTIALS, .count = app_settings.count - CREDENTIALS};
    settings_help(&settings, out);
}
