/* server/config/app.c - a list of apps, and finding one in it: each new connection and each call of a backend does. */
#include "server/config/app.h"

#include <stdlib.h>

/* What an app is found by. */
enum table { BY_ID, BY_KEY, TABLES };

static const char *name_in(const struct app *app, enum table table)
{
    return table == BY_ID ? app->id : app->key;
}

/* Places of one table: never more than half of them are taken. */
static uint32_t places(const struct app_list *apps)
{
    return 2 * apps->room;
}

/* FNV-1a: the names are the operator's, so that nobody chooses them to collide. */
static uint32_t hash(struct text text)
{
    uint32_t hash = 2166136261;
    for (size_t i = 0; i < text.count; i++)
        hash = (hash ^ (unsigned char)text.at[i]) * 16777619;
    return hash;
}

/* The place where an app of this name is, or would be. */
static uint32_t *place_of(const struct app_list *apps, enum table table, struct text name)
{
    uint32_t *found = apps->found + table * places(apps), at = hash(name);
    for (;; at++) {
        uint32_t *place = &found[at & (places(apps) - 1)];
        if (*place == 0 || text_is(name, name_in(&apps->items[*place - 1], table))) return place;
    }
}

/* So that it is found, unless it is gone: its key may be another's. */
static void note(struct app_list *apps, uint32_t index)
{
    for (enum table table = 0; !apps->items[index].is_gone && table < TABLES; table++)
        *place_of(apps, table, text_of(name_in(&apps->items[index], table))) = index + 1;
}

static enum rc grow(struct app_list *apps)
{
    uint32_t room = apps->room > 0 ? 2 * apps->room : 4;
    struct app *items = reallocarray(apps->items, room, sizeof items[0]);
    if (items == NULL) return RC_ENOMEM;
    apps->items = items;
    uint32_t *found = calloc((size_t)TABLES * 2 * room, sizeof found[0]);
    if (found == NULL) return RC_ENOMEM;
    free(apps->found);
    apps->found = found;
    apps->room = room;
    for (uint32_t i = 0; i < apps->count; i++)
        note(apps, i);
    return RC_OK;
}

enum rc app_list_append(struct app_list *apps, const struct app *app)
{
    if (apps->count == apps->room && grow(apps) != RC_OK) return RC_ENOMEM;
    apps->items[apps->count] = *app;
    apps->items[apps->count].index = (uint16_t)apps->count;
    note(apps, apps->count++);
    return RC_OK;
}

static const struct app *find(const struct app_list *apps, enum table table, struct text name)
{
    uint32_t place = apps->found != NULL ? *place_of(apps, table, name) : 0;
    return place > 0 ? &apps->items[place - 1] : NULL;
}

const struct app *app_of_id(const struct app_list *apps, struct text id)
{
    return find(apps, BY_ID, id);
}

const struct app *app_of_key(const struct app_list *apps, struct text key)
{
    return find(apps, BY_KEY, key);
}

bool app_tells_of(const struct app *app, struct text channel)
{
    size_t suffix = strlen(app->webhook_channel_suffix);
    return text_has_prefix(channel, app->webhook_channel_prefix) && channel.count >= suffix &&
           text_is(text_behind(channel, channel.count - suffix), app->webhook_channel_suffix);
}
