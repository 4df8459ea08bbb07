/* server/config/app.c - finding an app. There are few: a walk is as quick as a table. */
#include "server/config/app.h"

struct app *app_of_id(const struct app_list *apps, struct text id)
{
    for (uint32_t i = 0; i < apps->count; i++)
        if (text_is(id, apps->items[i].id)) return &apps->items[i];
    return NULL;
}

struct app *app_of_key(const struct app_list *apps, struct text key)
{
    for (uint32_t i = 0; i < apps->count; i++)
        if (text_is(key, apps->items[i].key)) return &apps->items[i];
    return NULL;
}
