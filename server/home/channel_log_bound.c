/* server/home/channel_log_bound.c - what logs take: who goes first when it is too much,
 * and which names were never seen. */
#include "server/home/channel_log_bound.h"

#include "core/channel.h"
#include "core/name_filter.h"
#include "core/roster.h"
#include "server/config/history_rule.h"
#include "server/home/channel_log_state.h"
#include "server/home/home_roster.h"
#include "server/shard/shard.h"
#include "server/store/store.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdlib.h>

#define LOOKS_MAX         16 /* at logs that cannot go now, before others do */
#define ALLOCATIONS_BYTES 64 /* that the heap takes besides, for the four blocks that a log needs */

/* ---- counting ---- */

/* A log without messages takes something too: names are chosen by strangers. With what lives for its sake alone when
 * nobody subscribes. */
static uint64_t fixed_bytes(const struct channel_log *log)
{
    return sizeof *log + sizeof(struct channel) + sizeof(struct roster) + log->roster->channel->name.length +
           ALLOCATIONS_BYTES;
}

/* In which of the shard's lists it stands. */
static struct log_list *list_of(struct shard *shard, const struct channel_log *log)
{
    return log->is_listed_empty ? &shard->home.empty_logs : &shard->home.logs;
}

void channel_log_begin(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    log->is_listed_empty = true;
    TAILQ_INSERT_TAIL(&shard->home.empty_logs, log, entry);
    counter_add(&shard->counters, COUNTER_history_logs, 1);
    channel_log_count(shard, log);
}

void channel_log_count(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    uint64_t bytes = fixed_bytes(log) + log->window.bytes;
    counter_add(&shard->counters, COUNTER_history_bytes, bytes - log->counted_bytes);
    log->counted_bytes = bytes;
    bool is_empty = log->window.count == 0;
    if (is_empty == log->is_listed_empty) return;
    TAILQ_REMOVE(list_of(shard, log), log, entry);
    log->is_listed_empty = is_empty;
    TAILQ_INSERT_TAIL(list_of(shard, log), log, entry);
}

void channel_log_touch(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    TAILQ_REMOVE(list_of(shard, log), log, entry);
    TAILQ_INSERT_TAIL(list_of(shard, log), log, entry);
}

void channel_log_forget(struct shard *shard, struct channel_log *log)
{
    assert(owner_is_me(&shard->owner));
    history_fini(&log->window, &shard->counters);
    TAILQ_REMOVE(list_of(shard, log), log, entry);
    counter_subtract(&shard->counters, COUNTER_history_bytes, log->counted_bytes);
    counter_subtract(&shard->counters, COUNTER_history_logs, 1);
    log->roster->log = NULL;
    free(log);
}

/* ---- making room ---- */

bool channel_log_knows_of_loss(const struct channel_log *log)
{
    if (!log->rule->durable) return false;
    return log->is_torn || (log->is_stored && log->whole_from != log->stored_whole_from);
}

/* May the log go? Those who subscribe hear one epoch as long as they stay: only one that begins again in the same can
 * go meanwhile. */
static bool can_be_dropped(const struct channel_log *log)
{
    if (log->jobs > 0 || log->waiting != NULL || channel_log_knows_of_loss(log)) return false;
    return log->is_unseen || roster_subscribers(log->roster) == 0;
}

/* Drops the log without messages that is unused for longest. False: of those looked at none can go. */
static bool drop_empty(struct shard *shard, const struct channel_log *newest)
{
    for (uint32_t looks = 0; looks < LOOKS_MAX; looks++) {
        struct channel_log *log = TAILQ_FIRST(&shard->home.empty_logs);
        if (log == NULL) return false;
        if (log == newest || !can_be_dropped(log)) {
            channel_log_touch(shard, log);
            continue;
        }
        struct roster *roster = log->roster;
        channel_log_forget(shard, log);
        home_set_timer(shard, roster);
        home_drop_if_unused(shard, roster->channel);
        return true;
    }
    return false;
}

/* Forgets the oldest message of the channel unused for longest; `newest` keeps its last. */
static bool forget_oldest(struct shard *shard, const struct channel_log *newest)
{
    struct channel_log *oldest = TAILQ_FIRST(&shard->home.logs);
    if (oldest == NULL || (oldest == newest && oldest->window.count == 1)) return false;
    log_warn("history_bytes_max reached: the channels unused for longest forget messages");
    counter_add(&shard->counters, COUNTER_history_evictions, 1);
    history_forget_oldest(&oldest->window, &shard->counters);
    channel_log_count(shard, oldest);
    return true;
}

void channel_log_bound(struct shard *shard, const struct channel_log *newest)
{
    assert(owner_is_me(&shard->owner));
    while (counter_get(&shard->counters, COUNTER_history_bytes) > shard->options->history_bytes_max) {
        /* First what strangers can make by merely asking for a name: it pushes out no message. */
        if (!drop_empty(shard, newest) && !forget_oldest(shard, newest)) return;
    }
}

/* ---- names never seen ---- */

bool channel_log_is_seen(const struct shard *shard, const struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    uint64_t hash = roster->channel->name.hash;
    if (name_filter_may_have(&shard->home.seen, hash)) return true;
    return roster->rule->durable && name_filter_may_have(store_seen(shard->store, shard->index), hash);
}

void channel_log_note_seen(struct shard *shard, const struct name *channel)
{
    assert(owner_is_me(&shard->owner));
    uint64_t before = shard->home.seen.bytes;
    name_filter_add(&shard->home.seen, channel->hash);
    counter_add(&shard->counters, COUNTER_history_name_bytes, shard->home.seen.bytes - before);
}
