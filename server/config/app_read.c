/* server/config/app_read.c - apps from text, "ID:KEY:SECRET name=value ...", and what --help says of that.
 *
 * Whoever puts a blank into a secret makes a setting of its end: that is why server/config/setting.c never shows a word
 * without an equals sign. Of the credentials errors show nothing but an ID that is one. */
#include "server/config/app.h"
#include "server/config/option_row.h"
#include "server/config/setting.h"
#include "server/system/random_word.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TOKEN_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
#define SECRET_BYTES_MAX 128

static const struct option_row rows[] = {
#define APP_SETTING(type_, name_, ...) \
    OPTION_ROW(&option_type_##type_, #name_, offsetof(struct app, name_), __VA_ARGS__),
#include "server/config/app_setting.def"
#undef APP_SETTING
};

static const struct setting_table app_settings = {
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .give = "name=value, and no blanks in the secret or in values",
};

static void secret_free(char *secret)
{
    if (secret != NULL) explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void app_fini(struct app *app)
{
    settings_fini(&app_settings, app);
    free(app->id);
    free(app->key);
    secret_free(app->secret);
    *app = (struct app){0};
}

static bool is_token(const char *text)
{
    size_t length = strlen(text);
    return length >= 1 && length <= APP_TOKEN_BYTES_MAX && strspn(text, TOKEN_CHARACTERS) == length;
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
                             APP_TOKEN_BYTES_MAX);
    if (!is_token(key))
        return option_refuse(error, "the key of %s is not valid; give 1 to %d characters of A-Z a-z 0-9 _ -", id,
                             APP_TOKEN_BYTES_MAX);
    if (!is_secret(secret))
        return option_refuse(error, "the secret of %s is not valid; give 1 to %d printable characters without blank",
                             id, SECRET_BYTES_MAX);
    app->id = strdup(id);
    app->key = strdup(key);
    app->secret = strdup(secret);
    return app->id != NULL && app->key != NULL && app->secret != NULL ? RC_OK : option_out_of_memory(error);
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

/* An address may hold a password, before its last @: nobody is shown that. */
static enum rc refuse_address(const struct app *app, struct option_error *error)
{
    const char *host = strrchr(app->webhook, '@');
    return option_refuse(error, "webhook of %s: \"%s%.60s\" is no web address; give http://... or https://...",
                         app->id, host != NULL ? "***" : "", host != NULL ? host : app->webhook);
}

/* Reads the whole app; `text` is taken apart. */
static enum rc read_app(struct app *app, char *text, struct option_error *error)
{
    char *rest = text;
    enum rc rc = read_credentials(app, setting_next_word(&rest), error);
    if (rc == RC_OK) rc = settings_read(&app_settings, app->id, rest, app, error);
    if (rc == RC_OK && app->webhook[0] != '\0' && !is_web_address(app->webhook)) return refuse_address(app, error);
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

enum rc app_list_complete(struct app_list *apps, struct option_error *error)
{
    if (apps->count > 0) return RC_OK;
    char text[] = "rooms:KKKKKKKKKKKKKKKKKKKK:SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS";
    char *key = strchr(text, ':') + 1, *secret = strrchr(text, ':') + 1;
    random_word(key, (size_t)(secret - 1 - key));
    random_word(secret, strlen(secret));
    enum rc rc = app_list_read(text, (struct option_bounds){.min = 0, .max = 1}, apps, error);
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
    *list = (struct app_list){0};
}

/* Semicolons between apps: commas and blanks stand inside. */
const struct option_type option_type_app_list = {
    .read = app_list_read, .count = app_list_count, .fini = app_list_fini, .separators = ";"};

enum {
#define WEBHOOK(name, is_default) | (is_default) << WEBHOOK_##name
    WEBHOOKS_DEFAULT = 0
#include "server/config/webhook.def"
#undef WEBHOOK
};

/* What may stand between the commas of webhook_events. */
static const struct {
    const char *text;
    option_webhooks kinds;
} webhook_words[] = {
    {"default", WEBHOOKS_DEFAULT},
    {"all", ((UINT32_C(1) << WEBHOOK_KINDS_MAX) - 1) & ~(UINT32_C(1) << WEBHOOK_room_message)}, /* of the protocol */
    {"none", 0},
#define WEBHOOK(name, is_default) {#name, UINT32_C(1) << WEBHOOK_##name},
#include "server/config/webhook.def"
#undef WEBHOOK
};
#define WEBHOOK_WORDS (sizeof webhook_words / sizeof webhook_words[0])

static enum rc refuse_webhook(struct text word, struct option_error *error)
{
    static const char names[] =
#define WEBHOOK(name, is_default) " " #name
#include "server/config/webhook.def"
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

void app_help(FILE *out)
{
    fputs("\nApp settings\n"
          "  They follow the credentials: --app '1001:KEY:SECRET client_events=no members_max=500'.\n",
          out);
    settings_help(&app_settings, out);
}
