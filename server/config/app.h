/* server/config/app.h - an application: its credentials, its switches and limits.
 *
 * Nothing of one app is visible to another: channel names carry the app's index (core/name.h), so do users, which are
 * channels too, and a socket named by a backend only counts where it subscribes.
 * Threads: never changed once they have been read, so any thread may look. */
#pragma once

#include "core/text.h"
#include "server/config/app_value.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct setting_table;

#define APPS_MAX        10000
#define APP_INDEXES_MAX 65536 /* that there are */
#define APP_OF_ROOMS    0     /* rooms are public channels of the first app */

struct app {
    uint16_t index; /* in its list, and of all reloads; the first app is the one that raw rooms belong to */
    char *id;       /* as it stands in /apps/ID/: 1 to 64 of A-Z a-z 0-9 _ -, no other app's */
    char *key;      /* as it stands in /app/KEY: the same, also unlike all others */
    char *secret;   /* signs; never logged, never sent. 1 to 128 printable characters without blank. app_secret() */
#define APP_SETTING(type, name, ...) option_##type name;
#include "server/config/app_setting.def"
#undef APP_SETTING
    bool has_bare_secret; /* where the app stands somebody who reads it finds a secret, not only the name of a file */
    uint64_t given;       /* its settings that were given, 1 << row of app_settings */
    bool is_gone;         /* by a reload: nobody finds it, and its last clients are closed */
};

/* The apps, the type of the option --app, "ID:KEY:SECRET name=value ...": the secret is what is behind the second
 * colon, up to a blank, or @FILE, which has it. Of a setting that is given twice the last one counts. No error shows
 * the secret. Owns its items; `items` is NULL while `count` is 0. In the environment semicolons stand between the
 * apps. */
struct app_list {
    struct app *items;
    uint32_t count;
    uint32_t room;   /* of items: 0 or a power of two */
    uint32_t *found; /* by ID and by key, tables of 2 * room places: the index and 1; 0 for none. app_list_append() */
};
typedef struct app_list option_app_list;
extern const struct option_type option_type_app_list;

/* For who reads an app in pieces, as it stands in a file: begin it, put its key, its secret and its settings
 * (server/config/setting.h), add it. `error` is written as with --app. An app that was begun is given back with
 * app_fini(), unless it was added: then the list owns what it points to. */
extern const struct setting_table app_settings;
enum rc app_begin(struct app *app, const char *id, struct option_error *error);
enum rc app_list_add(struct app_list *list, const struct app *app, struct option_error *error);
void app_fini(struct app *app);

/* Where the operator gave no app the server has one of its own, "rooms", with a key and a secret of chance: the rooms
 * are its channels, and clients that are told its key may come too. So there is always a first app. */
enum rc app_list_complete(struct app_list *apps, struct option_error *error);

/* Appends a copy, whose ID and key no other app may have; the list owns what it points to. RC_OK or RC_ENOMEM. */
enum rc app_list_append(struct app_list *apps, const struct app *app);

/* Finds an app that was appended; NULL: there is none, or it is gone. */
const struct app *app_of_id(const struct app_list *apps, struct text id);
const struct app *app_of_key(const struct app_list *apps, struct text key);

/* Makes *to, which is zeroed, the same. RC_ENOMEM: nothing is left. */
enum rc app_copy(struct app *to, const struct app *from);
/* In what these two differ, 1 << row of app_settings. */
uint64_t app_differences(const struct app *one, const struct app *other);

static inline bool app_has_webhook(const struct app *app, enum webhook_kind kind)
{
    return app->webhook[0] != '\0' && (app->webhook_events >> kind & 1) != 0;
}
/* Is the backend told of this channel, by webhook_channel_prefix and webhook_channel_suffix? */
bool app_tells_of(const struct app *app, struct text channel);

/* Its secrets: the first one signs, what is signed by any of them is valid. NULL behind the last. */
static inline const char *app_secret(const struct app *app, uint32_t number)
{
    if (number == 0) return app->secret;
    return number == 1 && app->previous_secret[0] != '\0' ? app->previous_secret : NULL;
}

/* What --help shows of app_setting.def. */
void app_help(FILE *out);
