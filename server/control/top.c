/* server/control/top.c - a short list of the largest, kept in order while one looks; then merged. */
#include "server/control/top.h"

#include "core/channel.h"
#include "core/letter.h"
#include "core/query.h"
#include "core/roster.h"
#include "core/span.h"
#include "core/traffic.h"
#include "server/component/pusher.h"
#include "server/config/app.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/http/api_call.h"
#include "server/protocol/socket_id.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>

enum top_kind { TOP_CHANNELS, TOP_CONNECTIONS, TOP_KINDS };

/* ---- the largest ---- */

struct place {
    uint64_t rank; /* the larger, the further in front */
    const void *what;
};

/* In order, the largest first. */
struct places {
    struct place items[TOP_MAX];
    uint32_t count;
};

static void offer(struct places *places, uint64_t rank, const void *what)
{
    if (rank == 0 || (places->count == TOP_MAX && rank <= places->items[TOP_MAX - 1].rank)) return;
    uint32_t at = places->count < TOP_MAX ? places->count++ : TOP_MAX - 1;
    for (; at > 0 && places->items[at - 1].rank < rank; at--)
        places->items[at] = places->items[at - 1];
    places->items[at] = (struct place){rank, what};
}

/* ---- what a shard answers: for each of the largest a head, and its JSON behind it ---- */

struct head {
    uint64_t rank;
    uint32_t bytes;
    enum top_kind kind;
};

static enum rc append_entry(struct query *query, enum top_kind kind, uint64_t rank, struct span **json)
{
    struct head head = {.rank = rank, .bytes = *json != NULL ? (*json)->count : 0, .kind = kind};
    enum rc rc = span_append(&query->text, (const uint8_t *)&head, sizeof head);
    if (rc == RC_OK && *json != NULL) rc = span_append(&query->text, (*json)->bytes, (*json)->count);
    span_free(json);
    return rc;
}

static enum rc tell_channel(struct shard *shard, struct query *query, const struct place *place)
{
    const struct channel *channel = place->what;
    struct span *json = NULL;
    uint64_t messages, bytes;
    traffic_rates(&channel->roster->traffic, shard->now_ms, &messages, &bytes);
    enum rc rc = span_print(&json, "{\"channel\":");
    if (rc == RC_OK) rc = query_append_string(&json, name_text(&channel->name));
    if (rc == RC_OK) rc = span_print(&json, ",\"app\":");
    if (rc == RC_OK) rc = query_append_string(&json, text_of(shard_app(shard, channel->name.app)->id));
    if (rc == RC_OK)
        rc = span_print(&json, ",\"subscribers\":%u,\"messages_per_second\":%llu.%llu,\"bytes_per_second\":%llu}",
                        roster_subscribers(channel->roster), (unsigned long long)(messages / 1000),
                        (unsigned long long)(messages % 1000 / 100), (unsigned long long)(bytes / 1000));
    if (rc == RC_OK) return append_entry(query, TOP_CHANNELS, place->rank, &json);
    span_free(&json);
    return rc;
}

static enum rc tell_connection(struct shard *shard, struct query *query, const struct place *place)
{
    const struct connection *connection = place->what;
    bool is_pusher = connection->component == &component_pusher && connection->pusher != NULL;
    bool has_app = is_pusher && connection->pusher->has_app;
    const struct app *app = has_app ? shard_app(shard, connection->pusher->app) : NULL;
    char id[SOCKET_ID_BYTES_MAX];
    struct span *json = NULL;
    socket_id_write(id, is_pusher ? connection->pusher->random : 0, shard->index, shard_slot(shard, connection),
                    connection->life);
    enum rc rc = span_print(&json, "{\"connection\":\"%s\",\"app\":", id);
    if (rc == RC_OK) rc = query_append_string(&json, text_of(app != NULL ? app->id : "-"));
    if (rc == RC_OK)
        rc = span_print(&json, ",\"protocol\":\"%s\",\"waiting_bytes\":%llu,\"silent_ms\":%llu}",
                        connection->component != NULL ? connection->component->name : "http",
                        (unsigned long long)place->rank, (unsigned long long)(shard->now_ms - connection->heard_ms));
    if (rc == RC_OK) return append_entry(query, TOP_CONNECTIONS, place->rank, &json);
    span_free(&json);
    return rc;
}

void top_take(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    struct places channels = {0}, connections = {0};
    const struct channel *channel = NULL;
    uint64_t messages, bytes;
    for (uint32_t bucket = 0; (channel = hub_next(&shard->hub, &bucket, channel)) != NULL;) {
        if (channel->roster == NULL) continue;
        traffic_rates(&channel->roster->traffic, shard->now_ms, &messages, &bytes);
        offer(&channels, messages, channel);
    }
    for (uint32_t slot = 0; slot < shard->slots_used; slot++) {
        if (shard->outboxes[slot].bytes > 0)
            offer(&connections, shard->outboxes[slot].bytes, &shard->connections[slot]);
    }
    query->rc = RC_OK;
    for (uint32_t i = 0; i < channels.count && query->rc == RC_OK; i++)
        query->rc = tell_channel(shard, query, &channels.items[i]);
    for (uint32_t i = 0; i < connections.count && query->rc == RC_OK; i++)
        query->rc = tell_connection(shard, query, &connections.items[i]);
    post_send(shard, query->shard, LETTER_ANSWER, query);
}

/* ---- all shards together ---- */

static void offer_all(const struct span *text, enum top_kind kind, struct places *places)
{
    struct head head;
    for (uint32_t at = 0; text != NULL && at < text->count; at += sizeof head + head.bytes) {
        memcpy(&head, text->bytes + at, sizeof head);
        if (head.kind == kind) offer(places, head.rank, text->bytes + at);
    }
}

static enum rc compose_list(const struct api_call *call, enum top_kind kind, struct span **body)
{
    struct places places = {0};
    struct head head;
    enum rc rc = RC_OK;
    for (uint32_t i = 0; i < call->parts_count; i++)
        offer_all(call->parts[i]->text, kind, &places);
    for (uint32_t i = 0; i < places.count && rc == RC_OK; i++) {
        const uint8_t *entry = places.items[i].what;
        memcpy(&head, entry, sizeof head);
        if (i > 0) rc = span_print(body, ",");
        if (rc == RC_OK) rc = span_append(body, entry + sizeof head, head.bytes);
    }
    return rc;
}

enum rc top_compose(const struct api_call *call, struct span **body)
{
    enum rc rc = span_print(body, "{\"channels\":[");
    if (rc == RC_OK) rc = compose_list(call, TOP_CHANNELS, body);
    if (rc == RC_OK) rc = span_print(body, "],\"connections\":[");
    if (rc == RC_OK) rc = compose_list(call, TOP_CONNECTIONS, body);
    return rc == RC_OK ? span_print(body, "]}") : rc;
}
