/* server/home/home_query.c - a home's answers to backends and clients. */
#include "server/home/home_query.h"

#include "core/channel.h"
#include "core/message.h"
#include "core/presence.h"
#include "core/query.h"
#include "core/roster.h"
#include "core/span.h"
#include "server/home/history_page.h"
#include "server/home/home_answer.h"
#include "server/home/home_deliver.h"
#include "server/home/home_people_job.h"
#include "server/home/home_people_state.h"
#include "server/home/home_publish.h"
#include "server/home/home_report.h"
#include "server/shard/shard.h"
#include "server/shard/sweep.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static enum rc answer_users(struct shard *shard, struct query *query)
{
    const struct channel *channel = hub_find(&shard->hub, &query->name);
    uint32_t index = 0;
    struct text user_id;
    const char *before = "{\"id\":";
    enum rc rc = RC_OK;
    bool is_known = channel != NULL && home_people_is_known(channel->roster);
    if (shard->cluster != NULL && !is_known) return home_people_ask(shard, query);
    if (channel == NULL || channel->roster->presence == NULL) return RC_OK;
    while (rc == RC_OK && presence_next(channel->roster->presence, &index, &user_id)) {
        rc = span_append_text(&query->text, text_of(before));
        if (rc == RC_OK) rc = query_append_string(&query->text, user_id);
        if (rc == RC_OK) rc = span_append_text(&query->text, text_of("}"));
        before = ",{\"id\":";
    }
    return rc;
}

static bool is_listed(const struct query *query, const struct channel *channel)
{
    const struct roster *roster = channel->roster;
    if (roster == NULL || channel->name.app != query->name.app || roster->type.is_user) return false;
    return roster_subscribers(roster) > 0 && channel->name.length >= query->name.length &&
           memcmp(channel->name.text, query->name.text, query->name.length) == 0;
}

static enum rc list(struct query *query, const struct channel *channel)
{
    struct query_facts facts = {.user_count = home_users_of(channel->roster),
                                .subscription_count = roster_subscribers(channel->roster)};
    enum rc rc = RC_OK;
    if (query->text != NULL) rc = span_append_text(&query->text, text_of(","));
    if (rc == RC_OK) rc = query_append_string(&query->text, name_text(&channel->name));
    if (rc == RC_OK) rc = span_append_text(&query->text, text_of(":{"));
    if (rc == RC_OK) rc = query_append_facts(&query->text, &channel->name, query->info, &facts);
    return rc == RC_OK ? span_append_text(&query->text, text_of("}")) : rc;
}

/* The list of channels; who comes or goes while it is made may stand in it or not. */
struct listing {
    struct sweep sweep;
    struct hub_walk walk;
    struct query *query;
    enum rc rc;
};

static void visit_channel(void *context, struct channel *channel)
{
    struct listing *listing = context;
    if (listing->rc == RC_OK && is_listed(listing->query, channel)) listing->rc = list(listing->query, channel);
}

static bool step_listing(struct shard *shard, struct sweep *sweep)
{
    struct listing *listing = (struct listing *)sweep;
    bool has_more = hub_walk_step(&shard->hub, &listing->walk, SWEEP_LOOKS, visit_channel, listing);
    return has_more && listing->rc == RC_OK;
}

static void end_listing(struct shard *shard, struct sweep *sweep, bool is_whole)
{
    struct listing *listing = (struct listing *)sweep;
    if (is_whole) {
        home_query_done(shard, listing->query, listing->rc);
    } else {
        query_free(&shard->counters, listing->query);
    }
    free(listing);
}

static enum rc answer_channels(struct shard *shard, struct query *query)
{
    struct listing *listing = calloc(1, sizeof *listing);
    if (listing == NULL) return RC_ENOMEM;
    *listing = (struct listing){.sweep = {.step = step_listing, .end = end_listing}, .query = query};
    hub_walk_begin(&shard->hub, &listing->walk);
    sweep_begin(shard, &listing->sweep);
    return RC_PENDING;
}

/* One home asks for all of them. */
static enum rc ask_for_channels(struct shard *shard, struct query *query)
{
    return shard->index == 0 ? home_people_ask(shard, query) : RC_OK;
}

/* On all nodes. */
static enum rc terminate(struct shard *shard, struct message *message, struct query *query)
{
    if (shard->cluster != NULL) {
        message_drop(&shard->counters, message);
        return home_people_ask(shard, query);
    }
    home_terminate(shard, message);
    return RC_OK;
}

/* Fills in the answer. RC_PENDING: it comes later. */
static enum rc answer(struct shard *shard, struct query *query)
{
    struct message *message = query->message;
    query->message = NULL;
    switch (query->kind) {
    case QUERY_PUBLISH:
        home_publish(shard, message, query);
        return RC_PENDING;
    case QUERY_CHANNEL:
        return home_answer_channel(shard, query);
    case QUERY_USERS:
        return answer_users(shard, query);
    case QUERY_CHANNELS:
        return shard->cluster == NULL ? answer_channels(shard, query) : ask_for_channels(shard, query);
    case QUERY_TERMINATE:
        return terminate(shard, message, query);
    case QUERY_HISTORY:
        return history_page(shard, query);
    case QUERY_REPORT:
        return home_report(shard, query);
    case QUERY_CONNECTION:
    case QUERY_CLOSE:
    case QUERY_TOP:
    case QUERY_FOLLOW:
        break; /* not asked of a home */
    }
    __builtin_unreachable();
}

void home_query_take(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    enum rc rc = answer(shard, query);
    if (rc != RC_PENDING) home_query_done(shard, query, rc);
}
