/* server/cluster/people_channel.c - a chained hash table of channels. */
#include "server/cluster/people_channel.h"

#include <assert.h>
#include <stdlib.h>

#define CAPACITY_MIN 16

static struct people_channel **chain_of(const struct people_table *table, uint64_t hash)
{
    return &table->chains[hash & (table->capacity - 1)];
}

static void link_channel(struct people_table *table, struct people_channel *channel)
{
    struct people_channel **chain = chain_of(table, channel->name.hash);
    channel->next = *chain;
    *chain = channel;
}

struct people_channel *people_channel_find(const struct people_table *table, const struct name *name)
{
    if (table->count == 0) return NULL;
    struct people_channel *channel = *chain_of(table, name->hash);
    while (channel != NULL && !name_equals(&channel->name, name)) {
        channel = channel->next;
    }
    return channel;
}

static enum rc grow(struct people_table *table)
{
    if (table->count < table->capacity) return RC_OK;
    struct people_table larger = {.capacity = table->capacity > 0 ? 2 * table->capacity : CAPACITY_MIN,
                                  .count = table->count};
    larger.chains = calloc(larger.capacity, sizeof(struct people_channel *));
    if (larger.chains == NULL) return RC_ENOMEM;
    for (struct people_channel *channel = people_channel_next(table, NULL), *next; channel != NULL; channel = next) {
        next = people_channel_next(table, channel);
        link_channel(&larger, channel);
    }
    free(table->chains);
    *table = larger;
    return RC_OK;
}

struct people_channel *people_channel_add(struct people_table *table, const struct name *name, struct text app)
{
    struct people_channel *channel = malloc(sizeof *channel + name->length + app.count);
    if (channel == NULL || grow(table) != RC_OK) {
        free(channel);
        return NULL;
    }
    *channel = (struct people_channel){.name = *name, .type = channel_type_of(name_text(name))};
    char *to = (char *)(channel + 1);
    channel->name.text = text_copy(&to, name_text(name)).at;
    channel->app = text_copy(&to, app);
    link_channel(table, channel);
    table->count++;
    return channel;
}

static void free_channel(struct people_channel *channel)
{
    cluster_members_free(channel->members);
    free(channel);
}

void people_channel_remove(struct people_table *table, struct people_channel *channel)
{
    assert(table->count > 0 && !channel->is_active && !timer_is_set(&channel->timer) && channel->requests == 0);
    struct people_channel **link = chain_of(table, channel->name.hash);
    while (*link != channel) {
        link = &(*link)->next;
    }
    *link = channel->next;
    table->count--;
    free_channel(channel);
}

struct people_channel *people_channel_next(const struct people_table *table, const struct people_channel *channel)
{
    if (channel != NULL && channel->next != NULL) return channel->next;
    uint32_t chain = channel != NULL ? (uint32_t)(channel->name.hash & (table->capacity - 1)) + 1 : 0;
    for (; chain < table->capacity; chain++) {
        if (table->chains[chain] != NULL) return table->chains[chain];
    }
    return NULL;
}

void people_table_fini(struct people_table *table)
{
    for (struct people_channel *channel = people_channel_next(table, NULL), *next; channel != NULL; channel = next) {
        next = people_channel_next(table, channel);
        free_channel(channel);
    }
    free(table->chains);
    *table = (struct people_table){0};
}
