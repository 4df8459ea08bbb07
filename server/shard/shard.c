/* server/shard/shard.c - what all rooms ask of a shard: its channels, its apps. */
#include "server/shard/shard.h"

#include "core/channel.h"
#include "core/roster.h"
#include "server/config/app.h"
#include "server/config/history_rule.h"
#include "server/shard/stage.h"

#include <assert.h>
#include <ck_pr.h>
#include <unistd.h>

void shard_signal(struct shard *shard)
{
    uint64_t one = 1;
    /* It can only fail when the counter is full of signals that have been seen already. */
    ssize_t written = write(shard->signal_descriptor, &one, sizeof one);
    (void)written;
}

const char *shard_name(const struct shard *shard, char name_r[SHARD_NAME_BYTES])
{
    bool is_control = shard->index >= shard->hub.homes;
    snprintf(name_r, SHARD_NAME_BYTES, is_control ? "control" : "shard %u", shard->index);
    return name_r;
}

/* ---- channels and apps ---- */

struct channel *shard_make_channel(struct shard *shard, const struct name *name)
{
    assert(owner_is_me(&shard->owner));
    uint32_t count = shard->hub.count;
    struct channel *channel = hub_make(&shard->hub, name);
    bool is_new = shard->hub.count > count;
    if (is_new) counter_set(&shard->counters, COUNTER_channels, shard->hub.count);
    if (is_new && channel->roster != NULL) channel->roster->rule = shard_rule(shard, name);
    return channel;
}

void shard_drop_channel_if_unused(struct shard *shard, struct channel *channel)
{
    assert(owner_is_me(&shard->owner));
    assert(shard->hub.count > 0);
    if (hub_drop_if_unused(&shard->hub, channel)) counter_set(&shard->counters, COUNTER_channels, shard->hub.count);
}

void shard_take_rules(struct shard *shard)
{
    const struct history_rule_list *rules = &shard->options->history;
    assert(rules->count <= HISTORY_RULES_MAX);
    struct history_rule *places = shard->rule_places[shard->rule_half];
    for (uint32_t i = 0; i < rules->count; i++) {
        places[i] = rules->items[i];
        if (shard->cluster != NULL) places[i].durable = false;
    }
    shard->rules = (struct history_rule_list){.items = places, .count = rules->count};
}

void shard_take_other_rules(struct shard *shard)
{
    shard->rule_half = 1 - shard->rule_half;
    shard_take_rules(shard);
}

const struct history_rule *shard_rule(const struct shard *shard, const struct name *channel)
{
    assert(owner_is_me(&shard->owner));
    return shard->rules.count > 0 ? history_rule_of(&shard->rules, name_text(channel)) : NULL;
}

/* ---- the end ---- */

bool shard_is_draining(const struct shard *shard)
{
    return ck_pr_load_uint(shard->stage) >= SERVER_LEAVING;
}

bool shard_takes_sockets(const struct shard *shard)
{
    return ck_pr_load_uint(shard->stage) < SERVER_CLEARING;
}

enum close_reason shard_drain_reason(const struct shard *shard)
{
    return shard->options->drain_reconnect ? CLOSE_SERVER_MOVED : CLOSE_SERVER_STOP;
}

const struct app *shard_app(const struct shard *shard, uint16_t index)
{
    assert(owner_is_me(&shard->owner));
    assert(index < shard->options->app.count);
    return &shard->options->app.items[index];
}
