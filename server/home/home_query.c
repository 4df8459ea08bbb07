/* server/home/home_query.c - a home's answers to backends and clients.
 *
 * The list of channels is made in one go: with a hundred thousand of them at one home that takes some milliseconds. */
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
#include "server/home/home_publish.h"
#include "server/home/home_report.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdio.h>

static enum rc answer_users(const struct shard *shard, struct query *query)
{
    const struct channel *channel = hub_find(&shard->hub, &query->name);
    uint32_t index = 0;
    struct text user_id;
    const char *before = "{\"id\":";
    enum rc rc = RC_OK;
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

static enum rc answer_channels(const struct shard *shard, struct query *query)
{
    uint32_t bucket = 0;
    const struct channel *channel = NULL;
    enum rc rc = RC_OK;
    while (rc == RC_OK && (channel = hub_next(&shard->hub, &bucket, channel)) != NULL) {
        if (!is_listed(query, channel)) continue;
        if (query->text != NULL) rc = span_append_text(&query->text, text_of(","));
        if (rc == RC_OK) rc = query_append_string(&query->text, name_text(&channel->name));
        if (rc == RC_OK) rc = span_append_text(&query->text, text_of(":{"));
        struct query_facts facts = {.user_count = home_users_of(channel->roster),
                                    .subscription_count = roster_subscribers(channel->roster)};
        if (rc == RC_OK) rc = query_append_facts(&query->text, &channel->name, query->info, &facts);
        if (rc == RC_OK) rc = span_append_text(&query->text, text_of("}"));
    }
    return rc;
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
        return answer_channels(shard, query);
    case QUERY_TERMINATE:
        home_terminate(shard, message);
        return RC_OK;
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
