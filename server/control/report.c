/* server/control/report.c - what is known of one connection, as JSON. */
#include "server/control/report.h"

#include "core/channel.h"
#include "core/letter.h"
#include "core/query.h"
#include "core/span.h"
#include "server/component/pusher.h"
#include "server/config/app.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/connection/peer.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdio.h>

#define SUBSCRIPTIONS_MAX 100 /* that are told */
#define PIECE_BYTES_MAX   400

/* A raw client's word of chance is 0; an operator has no need to know those of others, but a wrong one is wrong. */
static bool is_meant(const struct connection *connection, const struct publisher *place)
{
    if (connection->state == CONNECTION_FREE || connection->life != place->life) return false;
    if (place->random == 0) return true;
    return connection->component != NULL && connection->component->is_named != NULL &&
           connection->component->is_named(connection, place->random);
}

static struct connection *find(struct shard *shard, const struct publisher *place)
{
    if (place->slot >= shard->slots_used) return NULL;
    struct connection *connection = &shard->connections[place->slot];
    return is_meant(connection, place) ? connection : NULL;
}

static enum rc append_string(struct span **text, const char *name, struct text value)
{
    enum rc rc = span_append_text(text, text_of(name));
    if (rc == RC_OK && value.at == NULL) return span_append_text(text, text_of("null"));
    return rc == RC_OK ? query_append_string(text, value) : rc;
}

/* The app and the user, of a channel client. */
static enum rc append_client(struct span **text, const struct shard *shard, const struct connection *connection)
{
    bool is_pusher = connection->component == &component_pusher && connection->pusher != NULL;
    const struct pusher *pusher = is_pusher ? connection->pusher : NULL;
    const char *protocol = connection->component != NULL ? connection->component->name : "http";
    enum rc rc = append_string(text, ",\"protocol\":", text_of(protocol));
    bool has_app = pusher != NULL && pusher->has_app;
    struct text app = has_app ? text_of(shard_app(shard, pusher->app)->id) : (struct text){0};
    if (rc == RC_OK) rc = append_string(text, ",\"app\":", app);
    bool has_user = pusher != NULL && pusher->user != NULL && pusher->user->is_signed_in;
    if (rc == RC_OK) rc = append_string(text, ",\"user\":", has_user ? pusher->user->id : (struct text){0});
    return rc;
}

static enum rc append_numbers(struct span **text, struct shard *shard, const struct connection *connection)
{
    char piece[PIECE_BYTES_MAX];
    uint64_t silent_ms = shard->now_ms > connection->heard_ms ? shard->now_ms - connection->heard_ms : 0;
    const struct outbox *outbox = shard_outbox(shard, connection);
    int count = snprintf(
        piece, sizeof piece,
        ",\"tls\":%s,\"silent_ms\":%llu,\"waiting_bytes\":%llu,\"waiting_batches\":%u,\"is_blocked\":%s,"
        "\"is_read\":%s",
        connection->is_secure ? "true" : "false", (unsigned long long)silent_ms, (unsigned long long)outbox->bytes,
        outbox_count(outbox), connection_is_blocked(shard, connection) ? "true" : "false",
        connection_is_read(connection) ? "true" : "false");
    return span_append(text, (const uint8_t *)piece, (uint32_t)count);
}

static enum rc append_subscriptions(struct span **text, const struct connection *connection)
{
    char piece[60];
    uint32_t all = 0;
    enum rc rc = span_append_text(text, text_of(",\"channels\":["));
    for (const struct subscription *at = connection->subscriptions; at != NULL; at = at->next) {
        if (all++ >= SUBSCRIPTIONS_MAX || rc != RC_OK) continue;
        rc = append_string(text, all > 1 ? "," : "", name_text(&at->channel->name));
    }
    snprintf(piece, sizeof piece, "],\"channels_count\":%u", all);
    return rc == RC_OK ? span_append_text(text, text_of(piece)) : rc;
}

static enum rc report(struct shard *shard, const struct connection *connection, struct query *query)
{
    char piece[100], address[IP_TEXT_MAX];
    struct span **text = &query->text;
    snprintf(piece, sizeof piece, "\"shard\":%u,\"slot\":%u,\"state\":", shard->index, shard_slot(shard, connection));
    enum rc rc = append_string(text, piece, text_of(connection_state_name(connection->state)));
    connection_address(shard, connection, address);
    if (rc == RC_OK) rc = append_string(text, ",\"address\":", text_of(address));
    if (rc == RC_OK) rc = append_client(text, shard, connection);
    if (rc == RC_OK) rc = append_numbers(text, shard, connection);
    return rc == RC_OK ? append_subscriptions(text, connection) : rc;
}

void report_take(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    struct connection *connection = find(shard, &query->connection);
    query->rc = connection != NULL ? RC_OK : RC_ENOENT;
    if (connection != NULL && query->kind == QUERY_CONNECTION) query->rc = report(shard, connection, query);
    if (connection != NULL && query->kind == QUERY_CLOSE) connection_close(shard, connection, CLOSE_OPERATOR);
    post_send(shard, query->shard, LETTER_ANSWER, query);
}
