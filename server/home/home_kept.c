/* server/home/home_kept.c - the last event of cache channels. */
#include "server/home/home_kept.h"

#include "core/channel.h"
#include "core/message.h"
#include "core/roster.h"
#include "server/config/app.h"
#include "server/home/home_roster.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>

static uint64_t kept_bytes(const struct message *message)
{
    return sizeof(struct channel) + sizeof(struct roster) + sizeof *message + message->channel.length +
           message->frame_bytes[FORM_EVENT];
}

void home_forget_kept(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    if (roster->kept == NULL) return;
    assert(counter_get(&shard->counters, COUNTER_cache_bytes) >= kept_bytes(roster->kept));
    TAILQ_REMOVE(&shard->home.kept, roster, kept_entry);
    counter_subtract(&shard->counters, COUNTER_cache_bytes, kept_bytes(roster->kept));
    message_drop(&shard->counters, roster->kept);
    roster->kept = NULL;
}

/* Makes room for the newest by forgetting the oldest. */
static void bound_kept(struct shard *shard, const struct roster *newest)
{
    struct roster *oldest;
    while (counter_get(&shard->counters, COUNTER_cache_bytes) > shard->options->cache_bytes_max &&
           (oldest = TAILQ_FIRST(&shard->home.kept)) != newest) {
        log_warn("cache_bytes_max reached: the oldest cached events are forgotten");
        counter_add(&shard->counters, COUNTER_cache_evictions, 1);
        home_forget_kept(shard, oldest);
        home_set_timer(shard, oldest);
        home_drop_if_unused(shard, oldest->channel);
    }
}

void home_keep_last(struct shard *shard, struct channel *channel, struct message *message)
{
    home_keep_event(shard, channel, message, shard_app(shard, message->channel.app)->cache_ms);
}

void home_keep_event(struct shard *shard, struct channel *channel, struct message *message, uint64_t ms)
{
    assert(owner_is_me(&shard->owner));
    assert(message_has(message, FORM_EVENT));
    struct roster *roster = channel->roster;
    home_forget_kept(shard, roster);
    message_hold(message, 1);
    roster->kept = message;
    TAILQ_INSERT_TAIL(&shard->home.kept, roster, kept_entry);
    counter_add(&shard->counters, COUNTER_cache_bytes, kept_bytes(message));
    roster->kept_until_ms = shard->now_ms + ms;
    roster->is_miss_told = false;
    home_set_timer(shard, roster);
    bound_kept(shard, roster);
}
