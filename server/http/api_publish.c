/* server/http/api_publish.c - events from backends: one to many channels, or a batch of them.
 *
 * Everything is checked before anything is published. */
#include "server/http/api_publish.h"

#include "core/channel_type.h"
#include "core/message.h"
#include "core/query.h"
#include "core/span.h"
#include "net/http_request.h"
#include "net/json.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/http/api_answer.h"
#include "server/http/api_call.h"
#include "server/protocol/event.h"
#include "server/protocol/socket_id.h"
#include "server/protocol/user.h"
#include "server/shard/shard.h"

#include <stdio.h>
#include <stdlib.h>

#define CHANNELS_MAX 100 /* of one event */

/* An event as it was read; views into the document and into `data_memory`. */
struct posted {
    struct text name;
    struct text data;
    char *data_memory; /* free() it */
    struct text key;   /* idempotency_key; at == NULL: none */
    struct publisher publisher;
    unsigned info;
};

static struct api_refusal wrong(const char *text)
{
    return (struct api_refusal){400, text, NULL};
}

/* ---- reading ---- */

static struct api_refusal too_large(const struct app *app)
{
    char *words;
    int count = asprintf(&words, "The data content of this event exceeds the allowed maximum (%llu bytes).",
                         (unsigned long long)app->event_bytes_max);
    return count >= 0 ? (struct api_refusal){413, words, words} : api_out_of_memory;
}

static struct api_refusal read_name(yyjson_val *object, struct posted *posted)
{
    yyjson_val *name;
    enum rc rc = json_member(object, "name", &name);
    if (rc != RC_OK || !yyjson_is_str(name)) return wrong("Expected name parameter to be a string");
    posted->name = json_text(name);
    if (posted->name.count == 0 || posted->name.count > NAME_BYTES_MAX) {
        return wrong("Expected name parameter to have 1 to 200 bytes");
    }
    if (text_has_prefix(posted->name, "pusher:") || text_has_prefix(posted->name, "pusher_internal:")) {
        return wrong("Event names that begin with pusher: or pusher_internal: are the server's own");
    }
    return (struct api_refusal){0};
}

static struct api_refusal read_data(const struct app *app, yyjson_val *object, struct posted *posted)
{
    yyjson_val *data;
    if (json_member(object, "data", &data) != RC_OK) return wrong("Expected one data parameter, a string");
    if (yyjson_is_str(data)) {
        posted->data = json_text(data);
    } else {
        size_t bytes;
        if (json_write(data, &posted->data_memory, &bytes) != RC_OK) return api_out_of_memory;
        posted->data = (struct text){posted->data_memory, bytes};
    }
    return posted->data.count <= app->event_bytes_max ? (struct api_refusal){0} : too_large(app);
}

static struct api_refusal read_socket_id(yyjson_val *object, struct posted *posted)
{
    yyjson_val *id;
    enum rc rc = json_member(object, "socket_id", &id);
    if (rc == RC_ENOENT || (rc == RC_OK && yyjson_is_null(id))) return (struct api_refusal){0};
    if (rc != RC_OK || !yyjson_is_str(id) || !socket_id_read(json_text(id), &posted->publisher)) {
        return wrong("Invalid socket_id: expected two numbers with a point between, as the client was given");
    }
    return (struct api_refusal){0};
}

static struct api_refusal read_key(yyjson_val *object, struct posted *posted)
{
    yyjson_val *key;
    enum rc rc = json_member(object, "idempotency_key", &key);
    if (rc == RC_ENOENT || (rc == RC_OK && yyjson_is_null(key))) return (struct api_refusal){0};
    if (rc == RC_OK && yyjson_is_str(key) && query_key_is_valid(json_text(key))) {
        posted->key = json_text(key);
        return (struct api_refusal){0};
    }
    return wrong("Invalid idempotency_key: expected a string of 1 to 64 bytes without control characters");
}

static struct api_refusal read_info(yyjson_val *object, struct posted *posted)
{
    yyjson_val *info;
    enum rc rc = json_member(object, "info", &info);
    if (rc == RC_ENOENT || (rc == RC_OK && yyjson_is_null(info))) return (struct api_refusal){0};
    unsigned allowed = QUERY_INFO_USER_COUNT | QUERY_INFO_SUBSCRIPTION_COUNT | QUERY_INFO_POSITION;
    if (rc != RC_OK || !yyjson_is_str(info) || !api_read_info(json_text(info), allowed, &posted->info)) {
        return wrong(
            "Invalid info: expected user_count, subscription_count, position, or several with commas between");
    }
    return (struct api_refusal){0};
}

static struct api_refusal read_event(const struct app *app, yyjson_val *object, struct posted *posted)
{
    *posted = (struct posted){0};
    if (!yyjson_is_obj(object)) return wrong("Expected an object with name, data and channels");
    struct api_refusal refusal = read_name(object, posted);
    if (refusal.status == 0) refusal = read_data(app, object, posted);
    if (refusal.status == 0) refusal = read_socket_id(object, posted);
    if (refusal.status == 0) refusal = read_key(object, posted);
    if (refusal.status == 0) refusal = read_info(object, posted);
    return refusal;
}

/* A channel that a backend may publish to: a user's too. */
static bool is_channel(struct text name)
{
    if (!text_has_prefix(name, CHANNEL_USER_PREFIX)) return name_is_valid(name);
    return user_id_is_valid(text_behind(name, strlen(CHANNEL_USER_PREFIX)));
}

/* ---- publishing ---- */

static struct query *make_query(const struct api_request *request, const struct posted *posted, struct text channel)
{
    struct counters *counters = &request->shard->counters;
    struct channel_type type = channel_type_of(channel);
    struct name name = name_of(request->app->index, channel);
    struct event event = {.name = posted->name, .data = posted->data};
    /* Readers of the room of that name get the data as it is. */
    bool is_for_rooms =
        request->app->index == APP_OF_ROOMS && channel_type_is_public(type) && text_is(posted->name, EVENT_OF_ROOMS);
    struct message *message =
        is_for_rooms ? event_message_raw(counters, &name, &event) : event_message(counters, &name, &event);
    struct query *query = message != NULL ? query_new(QUERY_PUBLISH, &name) : NULL;
    if (query == NULL) {
        if (message != NULL) message_drop(counters, message);
        return NULL;
    }
    message->origin = ORIGIN_BACKEND;
    message->publisher = posted->publisher;
    if (posted->key.at != NULL) query_set_key(query, QUERY_OF_BACKEND, posted->key);
    message->is_kept = type.is_cache;
    query->message = message;
    query->info = posted->info;
    return query;
}

static bool has_part(const struct api_call *call, uint32_t count, struct text channel)
{
    for (uint32_t i = 0; i < count; i++) {
        if (text_equals(name_text(&call->parts[i]->name), channel)) return true;
    }
    return false;
}

/* Adds a part for the channel, unless it is there already. */
static struct api_refusal add_part(const struct api_request *request, const struct posted *posted,
                                   struct api_call *call, uint32_t *count, yyjson_val *value)
{
    struct text channel = json_text(value);
    if (!yyjson_is_str(value) || !is_channel(channel)) {
        return wrong("Invalid channel name: use 1 to 200 characters of A-Z a-z 0-9 _ - = @ , . ;");
    }
    if (has_part(call, *count, channel)) return (struct api_refusal){0};
    call->parts[*count] = make_query(request, posted, channel);
    if (call->parts[*count] == NULL) return api_out_of_memory;
    (*count)++;
    return (struct api_refusal){0};
}

static struct api_refusal read_document(const struct api_request *request, yyjson_doc **document_r)
{
    *document_r = NULL;
    enum rc rc = json_read(request->http->body, document_r, NULL);
    if (rc == RC_OK) return (struct api_refusal){0};
    return rc == RC_ENOMEM ? api_out_of_memory : wrong("The body is not valid JSON");
}

/* Asks if nothing was refused, else refuses. */
static void ask_or_refuse(const struct api_request *request, struct api_call *call, struct api_refusal refusal)
{
    if (refusal.status == 0) {
        api_ask(request, call);
    } else {
        api_call_free(&request->shard->counters, call);
        api_refuse(request->shard, request->connection, &refusal);
    }
}

/* ---- one event ---- */

/* "channels" or "channel"; *list_r is NULL for the latter. */
static struct api_refusal find_channels(yyjson_val *root, yyjson_val **list_r, yyjson_val **only_r)
{
    enum rc many = json_member(root, "channels", list_r), one = json_member(root, "channel", only_r);
    if (many == RC_EPROTO || one == RC_EPROTO) return wrong("channels or channel is there twice");
    if (many == RC_ENOENT && one == RC_ENOENT) return wrong("Expected channels parameter to be an array of names");
    if (many == RC_ENOENT) return (struct api_refusal){0};
    size_t count = yyjson_arr_size(*list_r);
    if (!yyjson_is_arr(*list_r) || count == 0 || count > CHANNELS_MAX) {
        return wrong("Expected channels parameter to be an array of 1 to 100 names");
    }
    return (struct api_refusal){0};
}

/* {} or {"channels":{"presence-a":{"user_count":2}}} */
static enum rc compose_event(const struct api_call *call, struct span **body)
{
    if (call->info == 0) return api_append(body, "{}");
    enum rc rc = api_append(body, "{\"channels\":{");
    for (uint32_t i = 0; rc == RC_OK && i < call->parts_count; i++) {
        const struct query *part = call->parts[i];
        if (i > 0) rc = api_append(body, ",");
        if (rc == RC_OK) rc = query_append_string(body, name_text(&part->name));
        if (rc == RC_OK) rc = api_append(body, ":{");
        if (rc == RC_OK) rc = query_append_facts(body, &part->name, part->info, &part->facts);
        if (rc == RC_OK) rc = api_append(body, "}");
    }
    return rc == RC_OK ? api_append(body, "}}") : rc;
}

static struct api_refusal fill_event(const struct api_request *request, const struct posted *posted, yyjson_val *list,
                                     yyjson_val *only, struct api_call *call)
{
    struct api_refusal refusal = {0};
    uint32_t count = 0;
    if (list == NULL) {
        refusal = add_part(request, posted, call, &count, only);
    } else {
        size_t index, most;
        yyjson_val *value;
        yyjson_arr_foreach(list, index, most, value)
        {
            if (refusal.status == 0) refusal = add_part(request, posted, call, &count, value);
        }
    }
    call->parts_count = count; /* less those that were there twice */
    call->info = posted->info;
    call->compose = compose_event;
    return refusal;
}

void api_publish_event(const struct api_request *request)
{
    yyjson_doc *document;
    yyjson_val *list = NULL, *only = NULL;
    struct posted posted = {0};
    struct api_call *call = NULL;
    struct api_refusal refusal = read_document(request, &document);
    yyjson_val *root = yyjson_doc_get_root(document);
    if (refusal.status == 0) refusal = read_event(request->app, root, &posted);
    if (refusal.status == 0) refusal = find_channels(root, &list, &only);
    if (refusal.status == 0) {
        call = api_call_new(request->shard, list != NULL ? (uint32_t)yyjson_arr_size(list) : 1);
        refusal = call != NULL ? fill_event(request, &posted, list, only, call) : api_out_of_memory;
    }
    free(posted.data_memory);
    yyjson_doc_free(document);
    ask_or_refuse(request, call, refusal);
}

/* ---- a batch ---- */

/* {} or {"batch":[{"user_count":2},{}]}, in the order of the events. */
static enum rc compose_batch(const struct api_call *call, struct span **body)
{
    if (call->info == 0) return api_append(body, "{}");
    enum rc rc = api_append(body, "{\"batch\":[");
    for (uint32_t i = 0; rc == RC_OK && i < call->parts_count; i++) {
        const struct query *part = call->parts[i];
        rc = api_append(body, i > 0 ? ",{" : "{");
        if (rc == RC_OK) rc = query_append_facts(body, &part->name, part->info, &part->facts);
        if (rc == RC_OK) rc = api_append(body, "}");
    }
    return rc == RC_OK ? api_append(body, "]}") : rc;
}

static struct api_refusal fill_batch_part(const struct api_request *request, yyjson_val *object,
                                          struct api_call *call, uint32_t index)
{
    struct posted posted;
    yyjson_val *channel;
    struct api_refusal refusal = read_event(request->app, object, &posted);
    if (refusal.status == 0 && json_member(object, "channel", &channel) != RC_OK) {
        refusal = wrong("Expected one channel parameter in each event of the batch");
    }
    if (refusal.status == 0 && (!yyjson_is_str(channel) || !is_channel(json_text(channel)))) {
        refusal = wrong("Invalid channel name: use 1 to 200 characters of A-Z a-z 0-9 _ - = @ , . ;");
    }
    if (refusal.status == 0) {
        call->parts[index] = make_query(request, &posted, json_text(channel));
        call->info |= posted.info;
        if (call->parts[index] == NULL) refusal = api_out_of_memory;
    }
    free(posted.data_memory);
    return refusal;
}

static struct api_refusal read_batch(const struct api_request *request, yyjson_val *root, yyjson_val **batch_r)
{
    if (json_member(root, "batch", batch_r) != RC_OK || !yyjson_is_arr(*batch_r)) {
        return wrong("Expected batch parameter to be an array of events");
    }
    size_t count = yyjson_arr_size(*batch_r);
    if (count == 0) return wrong("Expected batch to have at least one event");
    if (count <= request->app->batch_max) return (struct api_refusal){0};
    char *words; /* applications look for the first three of them */
    int written =
        asprintf(&words, "Batch too large: expected at most %u events (batch_max)", request->app->batch_max);
    return written >= 0 ? (struct api_refusal){400, words, words} : api_out_of_memory;
}

void api_publish_batch(const struct api_request *request)
{
    yyjson_doc *document;
    yyjson_val *batch = NULL, *object;
    struct api_call *call = NULL;
    struct api_refusal refusal = read_document(request, &document);
    if (refusal.status == 0) refusal = read_batch(request, yyjson_doc_get_root(document), &batch);
    if (refusal.status == 0) {
        call = api_call_new(request->shard, (uint32_t)yyjson_arr_size(batch));
        if (call == NULL) refusal = api_out_of_memory;
    }
    size_t index, count;
    yyjson_arr_foreach(batch, index, count, object)
    {
        if (refusal.status != 0) break;
        refusal = fill_batch_part(request, object, call, (uint32_t)index);
    }
    if (call != NULL) call->compose = compose_batch;
    yyjson_doc_free(document);
    ask_or_refuse(request, call, refusal);
}
