/* server/component/pusher.c - greeting and closing channel connections; reading their frames and handing them out. */
#include "server/component/pusher.h"

#include "core/batch.h"
#include "core/channel.h"
#include "core/channel_type.h"
#include "core/join.h"
#include "core/message.h"
#include "core/query.h"
#include "net/query_string.h"
#include "net/upgrade.h"
#include "server/channel/subscribe.h"
#include "server/component/pusher_ack.h"
#include "server/component/pusher_event.h"
#include "server/component/pusher_history.h"
#include "server/component/pusher_subscribe.h"
#include "server/component/pusher_user.h"
#include "server/connection/connection.h"
#include "server/connection/long_answer.h"
#include "server/connection/opening.h"
#include "server/connection/receive.h"
#include "server/protocol/event.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <ck_pr.h>
#include <stdio.h>
#include <stdlib.h>

#define PATH_PART   "/app/"
#define PATH_END    "/app"
#define VERSION_MIN 5
#define VERSION_MAX 7

/* ---- opening ---- */

/* What stands behind the last /app/ of the path; a proxy or the client's wsPath may put something before it. */
static struct text find_key(struct text path)
{
    const char *found = NULL;
    for (struct text rest = path; rest.count >= strlen(PATH_PART); rest = text_behind(rest, 1)) {
        if (text_has_prefix(rest, PATH_PART)) found = rest.at;
    }
    return found != NULL ? text_between(found + strlen(PATH_PART), path.at + path.count) : (struct text){0};
}

static bool pusher_serves(struct text path)
{
    if (find_key(path).at != NULL) return true;
    size_t end = strlen(PATH_END);
    return path.count >= end && text_is(text_behind(path, path.count - end), PATH_END);
}

static enum close_reason check_version(const struct http_request *request)
{
    struct query_string query;
    uint64_t number;
    enum rc rc = query_string_read(&query, request->query);
    if (rc != RC_OK) return rc == RC_ENOMEM ? CLOSE_NO_MEMORY : CLOSE_BAD_VERSION;
    enum close_reason reason = CLOSE_NONE;
    struct text version = query_string_get(&query, "protocol");
    if (version.at != NULL && !text_is_number(version, &number)) {
        reason = CLOSE_BAD_VERSION;
    } else if (version.at != NULL) {
        bool is_known =
            version.count == 1 && version.at[0] >= '0' + VERSION_MIN && version.at[0] <= '0' + VERSION_MAX;
        if (!is_known) reason = CLOSE_UNKNOWN_VERSION;
    }
    query_string_fini(&query);
    return reason;
}

/* May this client come in? *app_r is its app then, which counts it. */
static enum close_reason judge(struct shard *shard, const struct connection *connection,
                               const struct http_request *request, const struct app **app_r)
{
    const struct text_list *origins = &shard->options->origin;
    struct text key = find_key(request->path);
    if (upgrade_is_foreign(request, (const char *const *)origins->items, origins->count)) return CLOSE_FOREIGN_ORIGIN;
    if (key.count == 0 || memchr(key.at, '/', key.count) != NULL) return CLOSE_NO_PATH;
    const struct app *app = app_of_key(&shard->options->app, key);
    if (app == NULL) return CLOSE_NO_APP;
    enum close_reason reason = opening_judge_app(shard, app, connection, request);
    if (reason == CLOSE_NONE) reason = check_version(request);
    if (reason != CLOSE_NONE) return reason;
    /* Counted first: many may come in at once, on all shards. */
    uint64_t *connections = &shard->app_connections[app->index];
    if (ck_pr_faa_64(connections, 1) >= app->connections_max && app->connections_max > 0) {
        ck_pr_dec_64(connections);
        return CLOSE_OVER_QUOTA;
    }
    *app_r = app;
    return CLOSE_NONE;
}

static void say_established(struct shard *shard, struct connection *connection)
{
    char memory[SOCKET_ID_BYTES_MAX], data[100];
    struct text id = pusher_socket_id(shard, connection, memory);
    int count = snprintf(data, sizeof data, "{\"socket_id\":\"%s\",\"activity_timeout\":%llu}", id.at,
                         (unsigned long long)(shard->options->activity_timeout_ms / 1000));
    struct command command = {.shard = shard, .connection = connection};
    pusher_say(&command, "pusher:connection_established", (struct text){0}, (struct text){data, (size_t)count});
}

/* A client that is refused is told in its own protocol, after the 101: over HTTP it would try again for ever. */
static enum rc pusher_on_open(struct shard *shard, struct connection *connection, const struct http_request *request,
                              struct refusal *refusal_r)
{
    (void)refusal_r;
    const struct app *app = NULL;
    enum close_reason reason = judge(shard, connection, request, &app);
    struct pusher *pusher = pool_take(&shard->pusher.pool);
    if (pusher == NULL) {
        if (app != NULL) ck_pr_dec_64(&shard->app_connections[app->index]);
        return RC_ENOMEM;
    }
    *pusher = (struct pusher){.random = 1 + arc4random_uniform(UINT32_MAX), .has_app = app != NULL};
    if (app != NULL) pusher->app = app->index;
    if (app != NULL && app->sign_in_ms_max > 0) pusher->stranger_until_ms = shard->now_ms + app->sign_in_ms_max;
    connection->pusher = pusher;
    receive_opened(shard, connection);
    if (connection->state != CONNECTION_OPEN) return RC_OK; /* no memory for the 101 */
    if (reason == CLOSE_NONE) {
        say_established(shard, connection);
    } else {
        connection_close(shard, connection, reason);
    }
    return RC_OK;
}

/* ---- closing ---- */

bool pusher_has_app(const struct connection *connection, uint16_t *app_r)
{
    *app_r = connection->pusher->app;
    return connection->pusher->has_app;
}

static uint64_t pusher_stranger_until_ms(const struct connection *connection)
{
    return connection->pusher->stranger_until_ms;
}

static bool pusher_is_named(const struct connection *connection, uint32_t random)
{
    return connection->pusher->random == random;
}

static void pusher_identify(const struct shard *shard, const struct connection *connection,
                            struct identity *identity_r)
{
    const struct pusher *pusher = connection->pusher;
    if (pusher->has_app) identity_r->app = text_of(shard_app(shard, pusher->app)->id);
    if (pusher->user != NULL && pusher->user->is_signed_in) identity_r->user = pusher->user->id;
}

static void pusher_on_goodbye(struct shard *shard, struct connection *connection, enum close_reason reason,
                              uint32_t retry_after_ms)
{
    uint16_t code = close_reason_channel_code(reason);
    if (code < 4000) return;                  /* WebSocket's own codes need no words */
    if (reason == CLOSE_UNAUTHORIZED) return; /* told already, with what was wrong */
    struct text text = text_of(close_reason_text(reason));
    counter_add(&shard->counters, COUNTER_channel_errors, 1);
    connection_say(shard, connection, event_error_batch(code, text, retry_after_ms, shard->now_ms));
}

static bool has_pending(const struct connection *connection)
{
    const struct subscription *subscription = connection->subscriptions;
    while (subscription != NULL && !subscription->is_pending) {
        subscription = subscription->next;
    }
    return subscription != NULL;
}

static bool pusher_has_unanswered(struct shard *shard, struct connection *connection)
{
    (void)shard;
    const struct pusher *pusher = connection->pusher;
    return pusher->asked > 0 || pusher->watches > 0 || has_pending(connection);
}

static void pusher_on_error(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    log_debug("shard %u, channel connection %u: %s", shard->index, shard_slot(shard, connection),
              close_reason_text(reason));
}

static void pusher_on_close(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    (void)reason;
    struct pusher *pusher = connection->pusher;
    connection->pusher = NULL;
    if (pusher->has_app) ck_pr_dec_64(&shard->app_connections[pusher->app]);
    pusher_free_user(pusher);
    pool_give(&shard->pusher.pool, pusher);
    unsubscribe_all(shard, connection);
}

void pusher_terminate(struct shard *shard, const struct name *user_channel)
{
    assert(owner_is_me(&shard->owner));
    struct channel *channel = hub_find(&shard->hub, user_channel);
    /* Closing takes one out and moves the last into its place, hence from the back; with the last the channel goes. */
    for (uint32_t i = channel != NULL ? channel->audiences[FORM_EVENT].count : 0; i > 0 && channel != NULL; i--) {
        uint32_t slot = channel->audiences[FORM_EVENT].slots[i - 1];
        connection_close(shard, &shard->connections[slot], CLOSE_TERMINATED);
        channel = hub_find(&shard->hub, user_channel);
    }
}

/* ---- frames ---- */

static void ping(const struct command *command)
{
    pusher_say(command, "pusher:pong", (struct text){0}, text_of("{}"));
}

static void pong(const struct command *command)
{
    (void)command; /* that it came is all it says */
}

static void shape_is_wrong(const struct command *command)
{
    pusher_error(command, CODE_NONE,
                 "Invalid message: send an object with the members event (a string), data and channel, each once");
}

/* The protocol's own commands may come with their data as a string of JSON. */
static void take_with_data(struct command *command, void (*take)(const struct command *command))
{
    yyjson_doc *document = NULL;
    const char *reason;
    if (command->has_bad_data) {
        shape_is_wrong(command);
        return;
    }
    if (yyjson_is_str(command->data)) {
        enum rc rc = json_read(json_text(command->data), &document, &reason);
        if (rc == RC_ENOMEM) {
            connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
            return;
        }
        if (rc != RC_OK) {
            pusher_error(command, CODE_NONE, "Invalid message: its data is a string that holds no JSON (%s)", reason);
            return;
        }
        command->data = yyjson_doc_get_root(document);
    }
    take(command);
    yyjson_doc_free(document);
}

static void take_client_event(const struct command *command)
{
    if (command->has_bad_channel || command->has_bad_data) {
        shape_is_wrong(command);
    } else {
        pusher_client_event(command);
    }
}

static void take_command(struct command *command)
{
    static const struct {
        const char *event;
        void (*take)(const struct command *command);
        bool has_data; /* which it reads; what a command does not read is not judged either */
    } rows[] = {
        {"pusher:ping", ping, false},
        {"pusher:pong", pong, false},
        {"pusher:subscribe", pusher_subscribe, true},
        {"pusher:unsubscribe", pusher_unsubscribe, true},
        {"pusher:signin", pusher_sign_in, true},
        {"pusher:ringcast_history", pusher_history, true},
        {"pusher:ringcast_publish", pusher_room_event, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!text_is(command->event, rows[i].event)) continue;
        if (rows[i].has_data) {
            take_with_data(command, rows[i].take);
        } else {
            rows[i].take(command);
        }
        return;
    }
    if (text_has_prefix(command->event, "client-")) {
        take_client_event(command);
        return;
    }
    int shown = command->event.count <= NAME_BYTES_MAX ? (int)command->event.count : 0;
    pusher_error(command, CODE_NONE, "Unsupported event received on socket: %.*s", shown, command->event.at);
}

static void take_document(struct command *command, yyjson_val *root)
{
    enum rc event = pusher_string(root, "event", &command->event);
    command->has_bad_channel = pusher_string(root, "channel", &command->channel) == RC_EPROTO;
    command->has_bad_data = json_member(root, "data", &command->data) == RC_EPROTO;
    command->has_bad_id = pusher_string(root, "id", &command->id) == RC_EPROTO;
    if (event == RC_OK) {
        take_command(command);
    } else {
        shape_is_wrong(command);
    }
}

static void pusher_on_message(struct shard *shard, struct connection *connection, const struct payload *payload)
{
    struct command command = {
        .shard = shard, .connection = connection, .pusher = connection->pusher, .payload = payload};
    if (payload->opcode != FRAME_TEXT) {
        pusher_error(&command, CODE_NONE, "Invalid message: binary frames have no meaning here, send text");
        return;
    }
    yyjson_doc *document;
    const char *reason;
    enum rc rc = json_read((struct text){(const char *)payload->bytes, payload->count}, &document, &reason);
    if (rc == RC_ENOMEM) {
        connection_close(shard, connection, CLOSE_NO_MEMORY);
        return;
    }
    if (rc != RC_OK) {
        pusher_error(&command, CODE_NONE, "Invalid message: %s", reason);
        return;
    }
    take_document(&command, yyjson_doc_get_root(document));
    yyjson_doc_free(document);
}

/* ---- answers of homes ---- */

/* A home has answered, and the client was told: if it has closed and this was the last answer, it ends. */
static void heard_answer(struct shard *shard, struct connection *connection)
{
    if (connection->state == CONNECTION_SETTLING && !pusher_has_unanswered(shard, connection)) {
        connection_settled(shard, connection);
    }
}

static void pusher_on_subscribed(struct shard *shard, struct connection *connection, const struct join *join)
{
    struct command command = {.shard = shard, .connection = connection, .pusher = connection->pusher};
    struct channel_type type = channel_type_of(name_text(&join->channel));
    if (join->form == FORM_WATCH) {
        pusher_watching(&command, join);
    } else {
        if (type.is_user || type.needs_auth) command.pusher->stranger_until_ms = 0;
        if (type.is_user) pusher_signed_in(&command);
    }
    heard_answer(shard, connection);
}

static void pusher_on_refused(struct shard *shard, struct connection *connection, const struct join *join)
{
    struct command command = {.shard = shard, .connection = connection, .pusher = connection->pusher};
    if (join->rc == RC_ECLUSTER) {
        connection_close(shard, connection, CLOSE_NO_CLUSTER); /* it subscribes to all again where it comes back */
    } else if (join->form == FORM_WATCH || channel_type_of(name_text(&join->channel)).is_user) {
        connection_close(shard, connection, CLOSE_NO_MEMORY); /* nothing else refuses these */
    } else {
        pusher_subscribe_refused(&command, join);
    }
    heard_answer(shard, connection);
}

void pusher_unpublished(struct shard *shard, struct message *message)
{
    assert(owner_is_me(&shard->owner));
    const struct publisher *publisher = &message->publisher;
    struct connection *connection = &shard->connections[publisher->slot];
    struct command command = {.shard = shard, .connection = connection, .pusher = connection->pusher};
    if (connection->life == publisher->life && connection->state == CONNECTION_OPEN)
        pusher_error(&command, CODE_CLIENT_EVENT,
                     "Client event rejected: it could not be published to all nodes, try again later");
    message_drop(&shard->counters, message);
}

void pusher_answered(struct shard *shard, struct query *query)
{
    assert(owner_is_me(&shard->owner));
    struct connection *connection = &shard->connections[query->slot];
    struct command command = {.shard = shard, .connection = connection, .pusher = connection->pusher};
    bool is_open = connection->state == CONNECTION_OPEN || connection->state == CONNECTION_SETTLING;
    bool is_there = connection->life == query->serial && is_open;
    bool is_behind = query->key[0] == '\0'; /* nobody waits for its answer */
    if (is_there) command.pusher->asked--;
    if (is_there && query->kind == QUERY_PUBLISH && !is_behind) pusher_published(&command, query);
    if (is_there && query->kind == QUERY_HISTORY) {
        pusher_history_came(&command, query);
        long_answer_came(shard, connection);
    }
    if (is_there) heard_answer(shard, connection);
    query_free(&shard->counters, query);
}

const struct component component_pusher = {
    .name = "pusher",
    .judges_origin = true,
    .serves = pusher_serves,
    .on_open = pusher_on_open,
    .on_subscribed = pusher_on_subscribed,
    .on_refused = pusher_on_refused,
    .on_message = pusher_on_message,
    .has_unanswered = pusher_has_unanswered,
    .stranger_until_ms = pusher_stranger_until_ms,
    .on_goodbye = pusher_on_goodbye,
    .close_code = close_reason_channel_code,
    .is_named = pusher_is_named,
    .identify = pusher_identify,
    .on_error = pusher_on_error,
    .on_close = pusher_on_close,
};
