/* server/home/home_rules.c - each roster and its log to the rule that fits now. */
#include "server/home/home_rules.h"

#include "core/channel.h"
#include "core/roster.h"
#include "server/config/config.h"
#include "server/config/history_rule.h"
#include "server/home/channel_log_bound.h"
#include "server/home/channel_log_state.h"
#include "server/home/channel_log_window.h"
#include "server/home/home_roster.h"
#include "server/shard/shard.h"
#include "server/shard/sweep.h"

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

static void visit(void *shard, struct channel *channel)
{
    if (channel->roster != NULL) follow(shard, channel->roster);
}

static bool step(struct shard *shard, struct sweep *sweep)
{
    (void)sweep;
    return hub_walk_step(&shard->hub, &shard->home.rules_walk, SWEEP_LOOKS, visit, shard);
}

static void end(struct shard *shard, struct sweep *sweep, bool is_whole)
{
    (void)sweep, (void)is_whole;
    config_let_go(shard->home.rules_before);
    shard->home.rules_before = NULL;
}

void home_take_rules(struct shard *shard, struct config *before)
{
    assert(owner_is_me(&shard->owner) && shard->home.rules_before == NULL);
    shard_take_other_rules(shard);
    /* Of what is published while a channel keeps nothing there is no trace: no epoch goes on over that. */
    arc4random_buf(&shard->home.epoch_key, sizeof shard->home.epoch_key);
    shard->home.rules_before = before;
    shard->home.rules_sweep = (struct sweep){.step = step, .end = end};
    hub_walk_begin(&shard->hub, &shard->home.rules_walk);
    sweep_begin(shard, &shard->home.rules_sweep);
}
