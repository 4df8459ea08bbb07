/* server/home/home_roster.c - when a roster has something to do, and when it goes. */
#include "server/home/home_roster.h"

#include "core/channel.h"
#include "core/roster.h"
#include "server/home/home_people_state.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdlib.h>

bool home_settle_later(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    if (roster->is_settling) return true;
    if (shard->home.settling_count == shard->home.settling_capacity) {
        uint32_t capacity = shard->home.settling_capacity > 0 ? 2 * shard->home.settling_capacity : 16;
        struct roster **settling = realloc(shard->home.settling, capacity * sizeof(struct roster *));
        if (settling == NULL) return false;
        shard->home.settling = settling;
        shard->home.settling_capacity = capacity;
    }
    roster->is_settling = true;
    shard->home.settling[shard->home.settling_count++] = roster;
    return true;
}

void home_set_timer(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    uint64_t due_ms = UINT64_MAX;
    if (roster->kept != NULL) due_ms = roster->kept_until_ms;
    if (roster->has_count_changed && roster->told_ms + COUNT_EVERY_MS < due_ms) {
        due_ms = roster->told_ms + COUNT_EVERY_MS;
    }
    if (roster->log != NULL && roster->log_due_ms < due_ms) due_ms = roster->log_due_ms;
    uint64_t people_ms = home_people_due_ms(roster);
    if (people_ms < due_ms) due_ms = people_ms;
    if (due_ms == UINT64_MAX) {
        timer_clear(&shard->home.timers, &roster->timer);
    } else {
        timer_set(&shard->home.timers, &roster->timer, due_ms);
    }
}

void home_drop_if_unused(struct shard *shard, struct channel *channel)
{
    assert(owner_is_me(&shard->owner));
    assert(channel->roster != NULL);
    const struct roster *roster = channel->roster;
    if (!roster_is_needed(roster)) timer_clear(&shard->home.timers, &channel->roster->timer);
    shard_drop_channel_if_unused(shard, channel);
}
