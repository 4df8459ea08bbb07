/* server/config/app_follow.c - each app to its index, and telling what has become of it. */
#include "server/config/app_follow.h"

#include "server/config/option_row.h"
#include "server/config/setting.h"

#include <stdlib.h>
#include <string.h>

/* What is read, what it follows, and what comes of both. */
struct following {
    struct app_list *next;
    const struct app_list *now;
    struct app_list made;
    bool *is_put; /* of those that were read */
    struct changes *changes;
    bool shuts;
};

/* ---- telling ---- */

/* Secrets look alike, whatever they are. */
static enum rc tell_setting(const struct option_row *row, const struct app *now, const struct app *next,
                            struct changes *changes)
{
    char *from = option_row_text(row, (const char *)now + row->offset);
    char *to = option_row_text(row, (const char *)next + row->offset);
    bool is_known = from != NULL && to != NULL;
    if (is_known && strcmp(from, to) == 0) {
        changes_apply(changes, "app %s: %s: another one", next->id, row->name);
    } else if (is_known) {
        changes_apply(changes, "app %s: %s: %s -> %s", next->id, row->name, from, to);
    }
    free(from);
    free(to);
    return is_known ? RC_OK : RC_ENOMEM;
}

static enum rc tell_app(struct following *following, const struct app *now, const struct app *next)
{
    enum rc rc = RC_OK;
    uint64_t bits = app_differences(now, next);
    if (now->is_gone) changes_apply(following->changes, "app %s: is back", next->id);
    for (uint32_t i = 0; rc == RC_OK && i < app_settings.count; i++)
        if ((bits >> i & 1) != 0) rc = tell_setting(&app_settings.rows[i], now, next, following->changes);
    if (now->enabled && !next->enabled) following->shuts = true;
    return rc;
}

/* The first of those given is to have the rooms. */
static void tell_first(struct following *following)
{
    const struct app *has = &following->now->items[APP_OF_ROOMS], *first = &following->next->items[APP_OF_ROOMS];
    if (strcmp(has->id, first->id) == 0) return;
    changes_defer(following->changes, "app %s: is the first now, but the rooms stay with app %s", first->id, has->id);
}

/* ---- the list ---- */

/* Puts it at the end of the list that is made, which owns what it points to from then on. */
static enum rc put(struct following *following, const struct app *app, bool is_gone)
{
    struct app put = *app;
    put.is_gone = is_gone;
    return app_list_append(&following->made, &put);
}

/* One of those that were read. */
static enum rc put_read(struct following *following, const struct app *app)
{
    enum rc rc = put(following, app, false);
    if (rc == RC_OK) following->is_put[app - following->next->items] = true;
    return rc;
}

/* The app that had this index is not among those read. */
static enum rc put_former(struct following *following, const struct app *former)
{
    struct app copy;
    bool has_rooms = former->index == APP_OF_ROOMS;
    if (!has_rooms && !former->is_gone) {
        changes_apply(following->changes, "app %s: is gone, its clients are closed", former->id);
        following->shuts = true;
    }
    if (app_copy(&copy, former) != RC_OK) return RC_ENOMEM;
    enum rc rc = put(following, &copy, !has_rooms);
    if (rc != RC_OK) app_fini(&copy);
    return rc;
}

static enum rc put_known(struct following *following)
{
    enum rc rc = RC_OK;
    for (uint32_t i = 0; rc == RC_OK && i < following->now->count; i++) {
        const struct app *former = &following->now->items[i];
        const struct app *app = app_of_id(following->next, text_of(former->id));
        if (app == NULL) {
            rc = put_former(following, former);
        } else {
            rc = tell_app(following, former, app);
            if (rc == RC_OK) rc = put_read(following, app);
        }
    }
    return rc;
}

static enum rc put_new(struct following *following)
{
    enum rc rc = RC_OK;
    for (uint32_t i = 0; rc == RC_OK && i < following->next->count; i++) {
        const struct app *app = &following->next->items[i];
        if (following->is_put[i]) continue;
        if (following->made.count == APP_INDEXES_MAX) return RC_EFULL;
        changes_apply(following->changes, "app %s: is new", app->id);
        rc = put_read(following, app);
    }
    return rc;
}

/* What was put is the new list's. */
static void drop_read(struct following *following)
{
    for (uint32_t i = 0; i < following->next->count; i++)
        if (following->is_put == NULL || !following->is_put[i]) app_fini(&following->next->items[i]);
    free(following->next->items);
    free(following->next->found);
    free(following->is_put);
    *following->next = (struct app_list){0};
}

enum rc app_list_follow(struct options *next, const struct options *now, bool *shuts_r, struct changes *changes)
{
    struct following following = {.next = &next->app, .now = &now->app, .changes = changes};
    bool is_own = next->sources[OPTION_app] == OPTION_DEFAULT; /* it was made for the rooms, which have one */
    if (is_own) option_type_app_list.fini(&next->app);
    if (!is_own) tell_first(&following);
    if (is_own && now->sources[OPTION_app] != OPTION_DEFAULT)
        changes_defer(changes, "app %s: is gone, but has the rooms, so it stays", now->app.items[APP_OF_ROOMS].id);
    following.is_put = calloc(next->app.count + 1, sizeof following.is_put[0]);
    enum rc rc = following.is_put != NULL ? put_known(&following) : RC_ENOMEM;
    if (rc == RC_OK) rc = put_new(&following);
    drop_read(&following);
    next->app = following.made;
    *shuts_r = following.shuts;
    return rc;
}
