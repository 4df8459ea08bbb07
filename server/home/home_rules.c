/* server/home/home_rules.c - each roster and its log to the rule that fits now. */
#include "server/home/home_rules.h"

#include "core/channel.h"
#include "core/roster.h"
#include "server/config/history_rule.h"
#include "server/home/channel_log_bound.h"
#include "server/home/channel_log_state.h"
#include "server/home/channel_log_window.h"
#include "server/home/home_roster.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdlib.h>

static void follow(struct shard *shard, struct roster *roster)
{
    struct channel_log *log = roster->log;
    roster->rule = shard_rule(shard, &roster->channel->name);
    if (log == NULL) return;
    /* Without this key it would begin in another epoch, should it go while somebody subscribes. */
    channel_log_mark_seen(shard, log);
    if (roster->rule != NULL) {
        assert(log->rule->durable == roster->rule->durable);
        log->rule = roster->rule;
        return;
    }
    assert(log->jobs == 0 && log->waiting == NULL); /* it is not durable */
    channel_log_forget(shard, log);
    home_set_timer(shard, roster);
    home_drop_if_unused(shard, roster->channel);
}

void home_take_rules(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    uint32_t bucket = 0;
    shard_take_rules(shard);
    /* Of what is published while a channel keeps nothing there is no trace: no epoch goes on over that. */
    arc4random_buf(&shard->home.epoch_key, sizeof shard->home.epoch_key);
    struct channel *next = hub_next(&shard->hub, &bucket, NULL);
    while (next != NULL) {
        struct channel *channel = next;
        next = hub_next(&shard->hub, &bucket, channel);
        if (channel->roster != NULL) follow(shard, channel->roster);
    }
}
