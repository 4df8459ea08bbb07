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
#include "server/shard/sweep.h"

#include <assert.h>
#include <stdlib.h>

#define OUTBOX_LOOKS 4096 /* at outboxes, which lie side by side, in a turn */

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

static bool is_among(const struct places *places, uint64_t rank)
{
    return rank > 0 && (places->count < TOP_MAX || rank > places->items[TOP_MAX - 1].rank);
}

static void offer(struct places *places, uint64_t rank, const void *what)
{
    if (!is_among(places, rank)) return;
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

/* ---- a sweep over a shard ---- */

/* Channels and connections go while others are looked at, so they are kept by what names them. */
struct busy_channel {
    struct name name; /* its text: */
    char text[NAME_BYTES_MAX];
};

struct slow_reader {
    uint32_t slot, life;
};

struct top {
    struct sweep sweep;
    struct shard *shard;
    struct query *query;
    struct hub_walk walk; /* over the channels; then */
    uint32_t slot;        /* the next of the connections */
    struct places channels, readers;
    struct busy_channel busy[TOP_MAX];
    struct slow_reader slow[TOP_MAX];
};

/* Where to keep one more of these: a place of its own, or that of the last, which falls out. */
static void *take_room(const struct places *places, void *rooms, size_t room_bytes)
{
    if (places->count == TOP_MAX) return (void *)places->items[TOP_MAX - 1].what;
    return (char *)rooms + places->count * room_bytes;
}

static void look_at_channel(void *context, struct channel *channel)
{
    struct top *top = context;
    uint64_t messages, bytes;
    if (channel->roster == NULL) return;
    traffic_rates(&channel->roster->traffic, top->shard->now_ms, &messages, &bytes);
    if (!is_among(&top->channels, messages)) return;
    struct busy_channel *busy = take_room(&top->channels, top->busy, sizeof top->busy[0]);
    memcpy(busy->text, channel->name.text, channel->name.length);
    busy->name = channel->name;
    busy->name.text = busy->text;
    offer(&top->channels, messages, busy);
}

static void look_at_outbox(struct top *top, uint32_t slot)
{
    uint64_t bytes = top->shard->outboxes[slot].bytes;
    if (!is_among(&top->readers, bytes)) return;
    struct slow_reader *slow = take_room(&top->readers, top->slow, sizeof top->slow[0]);
    *slow = (struct slow_reader){.slot = slot, .life = top->shard->connections[slot].life};
    offer(&top->readers, bytes, slow);
}

static bool step(struct shard *shard, struct sweep *sweep)
{
    struct top *top = (struct top *)sweep;
    if (hub_walk_step(&shard->hub, &top->walk, SWEEP_LOOKS, look_at_channel, top)) return true;
    for (uint32_t looks = 0; looks < OUTBOX_LOOKS && top->slot < shard->slots_used; looks++)
        look_at_outbox(top, top->slot++);
    return top->slot < shard->slots_used;
}

/* ---- what it has found ---- */

static enum rc print_channel(const struct shard *shard, const struct channel *channel, struct span **json)
{
    uint64_t messages, bytes;
    traffic_rates(&channel->roster->traffic, shard->now_ms, &messages, &bytes);
    enum rc rc = span_print(json, "{\"channel\":");
    if (rc == RC_OK) rc = query_append_string(json, name_text(&channel->name));
    if (rc == RC_OK) rc = span_print(json, ",\"app\":");
    if (rc == RC_OK) rc = query_append_string(json, text_of(shard_app(shard, channel->name.app)->id));
    if (rc != RC_OK) return rc;
    return span_print(json, ",\"subscribers\":%u,\"messages_per_second\":%llu.%llu,\"bytes_per_second\":%llu}",
                      roster_subscribers(channel->roster), (unsigned long long)(messages / 1000),
                      (unsigned long long)(messages % 1000 / 100), (unsigned long long)(bytes / 1000));
}

static enum rc tell_channel(struct top *top, const struct place *place)
{
    const struct busy_channel *busy = place->what;
    const struct channel *channel = hub_find(&top->shard->hub, &busy->name);
    struct span *json = NULL;
    if (channel == NULL) return RC_OK; /* it has gone meanwhile */
    enum rc rc = print_channel(top->shard, channel, &json);
    if (rc == RC_OK) return append_entry(top->query, TOP_CHANNELS, place->rank, &json);
    span_free(&json);
    return rc;
}

static enum rc print_reader(const struct shard *shard, const struct connection *connection, uint64_t waiting,
                            struct span **json)
{
    bool is_pusher = connection->component == &component_pusher && connection->pusher != NULL;
    bool has_app = is_pusher && connection->pusher->has_app;
    const struct app *app = has_app ? shard_app(shard, connection->pusher->app) : NULL;
    char id[SOCKET_ID_BYTES_MAX];
    socket_id_write(id, is_pusher ? connection->pusher->random : 0, shard->index, shard_slot(shard, connection),
                    connection->life);
    enum rc rc = span_print(json, "{\"connection\":\"%s\",\"app\":", id);
    if (rc == RC_OK) rc = query_append_string(json, text_of(app != NULL ? app->id : "-"));
    if (rc != RC_OK) return rc;
    return span_print(json, ",\"protocol\":\"%s\",\"waiting_bytes\":%llu,\"silent_ms\":%llu}",
                      connection->component != NULL ? connection->component->name : "http",
                      (unsigned long long)waiting, (unsigned long long)(shard->now_ms - connection->heard_ms));
}

static enum rc tell_reader(struct top *top, const struct place *place)
{
    const struct slow_reader *slow = place->what;
    const struct connection *connection = &top->shard->connections[slow->slot];
    struct span *json = NULL;
    if (connection->state == CONNECTION_FREE || connection->life != slow->life) return RC_OK;
    enum rc rc = print_reader(top->shard, connection, place->rank, &json);
    if (rc == RC_OK) return append_entry(top->query, TOP_CONNECTIONS, place->rank, &json);
    span_free(&json);
    return rc;
}

static void end(struct shard *shard, struct sweep *sweep, bool is_whole)
{
    struct top *top = (struct top *)sweep;
    struct query *query = top->query;
    query->rc = RC_OK;
    for (uint32_t i = 0; i < top->channels.count && query->rc == RC_OK; i++)
        query->rc = tell_channel(top, &top->channels.items[i]);
    for (uint32_t i = 0; i < top->readers.count && query->rc == RC_OK; i++)
        query->rc = tell_reader(top, &top->readers.items[i]);
    free(top);
    if (is_whole) {
        post_send(shard, query->shard, LETTER_ANSWER, query);
    } else {
        query_free(&shard->counters, query);
    }
}

void top_take(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    struct top *top = calloc(1, sizeof *top);
    if (top == NULL) {
        query->rc = RC_ENOMEM;
        post_send(shard, query->shard, LETTER_ANSWER, query);
        return;
    }
    top->sweep = (struct sweep){.step = step, .end = end};
    top->shard = shard;
    top->query = query;
    hub_walk_begin(&shard->hub, &top->walk);
    sweep_begin(shard, &top->sweep);
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
