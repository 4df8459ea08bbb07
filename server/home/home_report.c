/* server/home/home_report.c - a roster and its log as JSON. */
#include "server/home/home_report.h"

#include "core/channel.h"
#include "core/query.h"
#include "core/roster.h"
#include "core/span.h"
#include "server/config/history_rule.h"
#include "server/home/broker_state.h"
#include "server/home/channel_log_state.h"
#include "server/home/home_answer.h"
#include "server/shard/shard.h"

#include <assert.h>

static enum rc append_shards(struct query *query, const struct roster *roster)
{
    enum rc rc = span_print(&query->text, ",\"shards\":[");
    for (uint32_t i = 0; rc == RC_OK && i < roster->interests_count; i++) {
        const struct interest *interest = &roster->interests[i];
        rc = span_print(&query->text, "%s{\"shard\":%u,\"rooms\":%u,\"channels\":%u,\"watchers\":%u}",
                        i > 0 ? "," : "", interest->shard, interest->counts[FORM_RAW], interest->counts[FORM_EVENT],
                        interest->counts[FORM_WATCH]);
    }
    return rc == RC_OK ? span_print(&query->text, "]") : rc;
}

static const char *state_name(enum channel_log_state state)
{
    switch (state) {
    case LOG_UNREAD:
        return "not read from the store yet";
    case LOG_READING:
        return "being read from the store";
    case LOG_READY:
        return "ready";
    case LOG_FAILED:
        return "the store cannot be read";
    }
    __builtin_unreachable();
}

/* NULL: there are no other nodes. */
static const char *cluster_state(const struct shard *shard, const struct roster *roster)
{
    if (shard->cluster == NULL) return NULL;
    const struct broker *broker = roster->broker;
    if (broker == NULL || broker->state == BROKER_OUT) return "not read here";
    return broker->state == BROKER_IN ? "read here" : "being entered";
}

static enum rc append_history(struct query *query, const struct roster *roster)
{
    const struct channel_log *log = roster->log;
    if (roster->rule == NULL) return span_print(&query->text, ",\"history\":null");
    enum rc rc = span_print(&query->text, ",\"history\":{\"rule\":");
    if (rc == RC_OK) rc = query_append_string(&query->text, text_of(roster->rule->pattern));
    if (rc == RC_OK) rc = span_print(&query->text, ",\"durable\":%s", roster->rule->durable ? "true" : "false");
    if (rc != RC_OK) return rc;
    if (log == NULL) return span_print(&query->text, ",\"state\":\"not in use\"}");
    const struct history *window = &log->window;
    uint64_t first = window->count > 0 ? history_at(window, 0)->offset : 0;
    return span_print(
        &query->text,
        ",\"state\":\"%s\",\"epoch\":\"%s\",\"first_offset\":%llu,\"last_offset\":%llu,\"given_offset\":%llu,"
        "\"messages\":%u,\"bytes\":%llu,\"at_the_store\":%u}",
        state_name(log->state), window->last.epoch, (unsigned long long)first,
        (unsigned long long)window->last.offset, (unsigned long long)log->given, window->count,
        (unsigned long long)window->bytes, log->jobs);
}

enum rc home_report(const struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    const struct channel *channel = hub_find(&shard->hub, &query->name);
    if (channel == NULL) return RC_ENOENT;
    const struct roster *roster = channel->roster;
    enum rc rc =
        span_print(&query->text, "\"home\":%u,\"subscribers\":%u,\"members\":%u,\"has_last_event\":%s", shard->index,
                   roster_subscribers(roster), home_users_of(roster), roster->kept != NULL ? "true" : "false");
    if (rc == RC_OK) rc = append_shards(query, roster);
    const char *state = cluster_state(shard, roster);
    if (rc == RC_OK && state != NULL) rc = span_print(&query->text, ",\"cluster\":\"%s\"", state);
    return rc == RC_OK ? append_history(query, roster) : rc;
}
