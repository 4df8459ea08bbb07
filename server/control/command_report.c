/* server/control/command_report.c - what other shards are asked for operators: channels, connections, closing them. */
#include "core/query.h"
#include "core/span.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/control/command.h"
#include "server/control/commands.h"
#include "server/control/top.h"
#include "server/http/api_answer.h"
#include "server/http/api_call.h"
#include "server/http/api_read.h"
#include "server/protocol/socket_id.h"
#include "server/shard/exchange.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <string.h>

/* {what the part has} */
static enum rc compose(const struct api_call *call, struct span **body)
{
    const struct span *text = call->parts[0]->text;
    enum rc rc = api_append(body, "{");
    if (rc == RC_OK && text != NULL) rc = span_append(body, text->bytes, text->count);
    return rc == RC_OK ? api_append(body, "}") : rc;
}

/* Takes over the query, which may be NULL for want of memory. */
static void ask(struct shard *shard, struct connection *connection, struct query *query, const char *not_found)
{
    struct api_call *call = query != NULL ? api_call_new(shard, 1) : NULL;
    if (call == NULL) {
        query_free(&shard->counters, query);
        command_refuse(shard, connection, 503, "The server is out of memory: try again later.");
        return;
    }
    call->parts[0] = query;
    call->compose = compose;
    call->not_found = not_found;
    api_ask(&(struct api_request){.shard = shard, .connection = connection}, call);
}

void command_channel(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    char text[COMMAND_ARGUMENT_BYTES_MAX + 1];
    struct name name;
    if (!command_channel_name(shard, connection, request, text, &name)) return;
    ask(shard, connection, query_new(QUERY_REPORT, &name),
        "Nobody uses this channel now (of another app: -a ID), and nothing of it is in memory.");
}

/* Of one connection, which is named by its socket id. */
static void ask_of_connection(struct shard *shard, struct connection *connection, const struct http_request *request,
                              enum query_kind kind)
{
    char id[COMMAND_ARGUMENT_BYTES_MAX + 1];
    struct publisher place;
    if (!command_argument(shard, connection, request, "id", false, id)) return;
    if (!socket_id_read(text_of(id), &place)) {
        command_refuse(shard, connection, 400, "\"%s\" is no socket id: two numbers with a point between.", id);
        return;
    }
    if (place.shard >= shard->exchange->shards_count || place.shard == shard->index) {
        command_refuse(shard, connection, 404, "No connection has this socket id.");
        return;
    }
    struct name name = name_of(APP_OF_ROOMS, text_of(""));
    struct query *query = query_new(kind, &name);
    if (query != NULL) query->connection = place;
    ask(shard, connection, query, "No connection has this socket id: it has ended, or never was.");
}

void command_connection(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    ask_of_connection(shard, connection, request, QUERY_CONNECTION);
}

void command_close_connection(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    ask_of_connection(shard, connection, request, QUERY_CLOSE);
}

void command_top(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    (void)request;
    struct name name = name_of(APP_OF_ROOMS, text_of(""));
    struct api_call *call = api_call_new(shard, shard->hub.homes);
    for (uint32_t i = 0; call != NULL && i < call->parts_count; i++) {
        call->parts[i] = query_new(QUERY_TOP, &name);
        if (call->parts[i] != NULL) continue;
        api_call_free(&shard->counters, call);
        call = NULL;
    }
    if (call == NULL) {
        command_refuse(shard, connection, 503, "The server is out of memory: try again later.");
        return;
    }
    call->compose = top_compose;
    api_ask(&(struct api_request){.shard = shard, .connection = connection}, call);
}

void command_close_user(struct shard *shard, struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    char id[COMMAND_ARGUMENT_BYTES_MAX + 1];
    if (!command_argument(shard, connection, request, "id", false, id)) return;
    const struct app *app = command_app(shard, connection, request);
    if (app == NULL) return;
    api_terminate(
        &(struct api_request){.shard = shard, .connection = connection, .app = app, .subject = text_of(id)});
}
