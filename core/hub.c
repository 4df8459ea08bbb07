/* core/hub.c - a chained hash table of channels, private to its shard. */
#include "core/hub.h"

#include "core/roster.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 64

enum rc hub_init(struct hub *hub, uint32_t shard, uint32_t homes)
{
    assert(homes > 0);
    *hub = (struct hub){.shard = shard, .homes = homes, .capacity = CAPACITY_MIN};
    hub->table = calloc(hub->capacity, sizeof(struct channel *));
    return hub->table != NULL ? RC_OK : RC_ENOMEM;
}

static void channel_free(struct channel *channel)
{
    assert(channel->arrived_count == 0);
    for (enum form form = 0; form < FORMS_MAX; form++) {
        free(channel->audiences[form].slots);
        free(channel->audiences[form].subscriptions);
    }
    roster_free(channel->roster);
    free(channel->arrived);
    free(channel);
}

void hub_fini(struct hub *hub)
{
    for (uint32_t i = 0; hub->table != NULL && i < hub->capacity; i++) {
        while (hub->table[i] != NULL) {
            struct channel *channel = hub->table[i];
            hub->table[i] = channel->next;
            channel_free(channel);
        }
    }
    free(hub->table);
    *hub = (struct hub){0};
}

uint32_t hub_home(const struct hub *hub, const struct name *name)
{
    assert(hub->homes > 0);
    return name_home(name, hub->homes);
}

static struct channel **place_of(const struct hub *hub, const struct name *name)
{
    struct channel **place = &hub->table[name->hash & (hub->capacity - 1)];
    while (*place != NULL && !name_equals(&(*place)->name, name)) {
        place = &(*place)->next;
    }
    return place;
}

struct channel *hub_find(const struct hub *hub, const struct name *name)
{
    return *place_of(hub, name);
}

/* Without the memory for a larger table, the old one goes on with longer chains. */
static void grow(struct hub *hub)
{
    assert(hub->count == hub->capacity);
    struct hub larger = *hub;
    larger.capacity = 2 * hub->capacity;
    larger.table = calloc(larger.capacity, sizeof(struct channel *));
    if (larger.table == NULL) return;
    for (uint32_t i = 0; i < hub->capacity; i++) {
        while (hub->table[i] != NULL) {
            struct channel *channel = hub->table[i];
            hub->table[i] = channel->next;
            struct channel **place = &larger.table[channel->name.hash & (larger.capacity - 1)];
            channel->next = *place;
            *place = channel;
        }
    }
    free(hub->table);
    *hub = larger;
}

struct channel *hub_make(struct hub *hub, const struct name *name)
{
    struct channel *channel = hub_find(hub, name);
    if (channel != NULL) return channel;
    if (hub->count == hub->capacity) grow(hub);
    channel = malloc(sizeof *channel + name->length);
    if (channel == NULL) return NULL;
    char *text = (char *)(channel + 1);
    memcpy(text, name->text, name->length);
    struct channel **place = &hub->table[name->hash & (hub->capacity - 1)];
    *channel = (struct channel){
        .name = {.text = text, .length = name->length, .app = name->app, .hash = name->hash},
        .home = hub_home(hub, name),
        .next = *place,
    };
    if (channel->home == hub->shard && (channel->roster = roster_new(channel)) == NULL) {
        free(channel);
        return NULL;
    }
    *place = channel;
    hub->count++;
    return channel;
}

bool hub_drop_if_unused(struct hub *hub, struct channel *channel)
{
    if (channel_count(channel) > 0 || channel->pending > 0 || channel->arrived_count > 0) return false;
    if (channel->roster != NULL && roster_is_needed(channel->roster)) return false;
    struct channel **place = place_of(hub, &channel->name);
    assert(*place == channel);
    *place = channel->next;
    hub->count--;
    channel_free(channel);
    return true;
}

struct channel *hub_next(const struct hub *hub, uint32_t *bucket, const struct channel *channel)
{
    struct channel *next = channel != NULL ? channel->next : hub->table[0];
    while (next == NULL && ++*bucket < hub->capacity) {
        next = hub->table[*bucket];
    }
    return next;
}

void hub_walk_begin(const struct hub *hub, struct hub_walk *walk)
{
    *walk = (struct hub_walk){.parts = hub->capacity};
}

bool hub_walk_step(const struct hub *hub, struct hub_walk *walk, uint32_t looks, hub_visit *visit, void *context)
{
    uint32_t looked = 0;
    for (; walk->part < walk->parts && looked < looks; walk->part++) {
        /* What a part was is in these buckets now. */
        for (uint32_t bucket = walk->part; bucket < hub->capacity; bucket += walk->parts, looked++) {
            for (struct channel *channel = hub->table[bucket], *next; channel != NULL; channel = next, looked++) {
                next = channel->next;
                visit(context, channel);
            }
        }
    }
    return walk->part < walk->parts;
}
