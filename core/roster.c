/* core/roster.c - counting the subscribers of all shards. */
#include "core/roster.h"

#include "core/channel.h"
#include "core/message.h"
#include "core/presence.h"

#include <assert.h>
#include <stdlib.h>

struct roster *roster_new(struct channel *channel)
{
    assert(channel != NULL);
    struct roster *roster = malloc(sizeof *roster);
    if (roster == NULL) return NULL;
    *roster = (struct roster){.channel = channel, .type = channel_type_of(name_text(&channel->name))};
    return roster;
}

void roster_free(struct roster *roster)
{
    if (roster == NULL) return;
    assert(roster->kept == NULL && roster->joiners == NULL && roster->log == NULL && !timer_is_set(&roster->timer));
    presence_free(roster->presence);
    free(roster->interests);
    free(roster);
}

/* Few shards, walked in every publish too: no index is faster. */
static struct interest *find(const struct roster *roster, uint32_t shard)
{
    assert(roster->interests_count <= roster->interests_capacity);
    for (uint32_t i = 0; i < roster->interests_count; i++) {
        if (roster->interests[i].shard == shard) return &roster->interests[i];
    }
    return NULL;
}

static struct interest *add_interest(struct roster *roster, uint32_t shard)
{
    if (roster->interests_count == roster->interests_capacity) {
        uint32_t capacity = roster->interests_capacity > 0 ? 2 * roster->interests_capacity : 1;
        struct interest *interests = realloc(roster->interests, capacity * sizeof *interests);
        if (interests == NULL) return NULL;
        roster->interests = interests;
        roster->interests_capacity = capacity;
    }
    struct interest *interest = &roster->interests[roster->interests_count++];
    *interest = (struct interest){.shard = shard};
    return interest;
}

enum rc roster_add(struct roster *roster, uint32_t shard, enum form form)
{
    struct interest *interest = find(roster, shard);
    if (interest == NULL) interest = add_interest(roster, shard);
    if (interest == NULL) return RC_ENOMEM;
    interest->counts[form]++;
    roster->counts[form]++;
    return RC_OK;
}

static bool has_any(const uint32_t counts[FORMS_MAX])
{
    for (enum form form = 0; form < FORMS_MAX; form++) {
        if (counts[form] > 0) return true;
    }
    return false;
}

void roster_remove(struct roster *roster, uint32_t shard, enum form form)
{
    struct interest *interest = find(roster, shard);
    assert(interest != NULL && interest->counts[form] > 0);
    assert(roster->counts[form] >= interest->counts[form]);
    interest->counts[form]--;
    roster->counts[form]--;
    if (!has_any(interest->counts)) *interest = roster->interests[--roster->interests_count];
}

uint32_t roster_subscribers(const struct roster *roster)
{
    return roster->counts[FORM_RAW] + roster->counts[FORM_EVENT];
}

bool interest_wants(const struct interest *interest, const struct message *message)
{
    for (enum form form = 0; form < FORMS_MAX; form++) {
        if (interest->counts[form] > 0 && message_has(message, form)) return true;
    }
    return false;
}

bool roster_is_needed(const struct roster *roster)
{
    return has_any(roster->counts) || roster->kept != NULL || roster->is_settling || roster->log != NULL ||
           roster->broker != NULL || roster->people != NULL;
}
