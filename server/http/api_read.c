/* server/http/api_read.c - what backends ask: channels, members, connections;
 * and that a user's connections be closed. */
#include "server/http/api_read.h"

#include "core/channel_type.h"
#include "core/message.h"
#include "core/query.h"
#include "core/span.h"
#include "net/http_request.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/http/api_answer.h"
#include "server/http/api_call.h"
#include "server/protocol/user.h"
#include "server/shard/shard.h"

#include <ck_pr.h>
#include <stdio.h>
#include <stdlib.h>

static void refuse(const struct api_request *request, unsigned status, const char *text)
{
    api_refuse(request->shard, request->connection, &(struct api_refusal){status, text, NULL});
}

static void refuse_for_memory(const struct api_request *request)
{
    api_refuse(request->shard, request->connection, &api_out_of_memory);
}

/* Asks one home about one channel, or whatever it is that has this name. The query is asked with what `wish` has
 * besides its name. */
static void ask_one(const struct api_request *request, const struct query *wish,
                    enum rc (*compose)(const struct api_call *call, struct span **body))
{
    struct api_call *call = api_call_new(request->shard, 1);
    struct query *query = query_new(wish->kind, &wish->name);
    if (call == NULL || query == NULL) {
        api_call_free(&request->shard->counters, call);
        query_free(&request->shard->counters, query);
        refuse_for_memory(request);
        return;
    }
    query->info = wish->info;
    query->page = wish->page;
    call->parts[0] = query;
    call->info = wish->info;
    call->compose = compose;
    api_ask(request, call);
}

/* ---- GET /channels ---- */

static enum rc compose_channels(const struct api_call *call, struct span **body)
{
    const char *before = "";
    enum rc rc = api_append(body, "{\"channels\":{");
    for (uint32_t i = 0; rc == RC_OK && i < call->parts_count; i++) {
        const struct span *piece = call->parts[i]->text;
        if (piece == NULL) continue;
        rc = api_append(body, before);
        if (rc == RC_OK) rc = span_append(body, piece->bytes, piece->count);
        before = ",";
    }
    return rc == RC_OK ? api_append(body, "}}") : rc;
}

void api_read_channels(const struct api_request *request)
{
    unsigned info;
    struct text prefix = query_string_get(&request->query, "filter_by_prefix");
    unsigned allowed = QUERY_INFO_USER_COUNT | QUERY_INFO_SUBSCRIPTION_COUNT;
    if (!api_read_info(query_string_get(&request->query, "info"), allowed, &info)) {
        refuse(request, 400, "Invalid info: expected user_count, subscription_count, or both with a comma between");
        return;
    }
    if ((info & QUERY_INFO_USER_COUNT) && (prefix.at == NULL || !text_has_prefix(prefix, "presence-"))) {
        refuse(request, 400, "user_count is known of presence channels only: filter_by_prefix=presence-");
        return;
    }
    if (prefix.count > NAME_BYTES_MAX) { /* no name is so long */
        api_answer(request->shard, request->connection, 200, API_JSON, text_of("{\"channels\":{}}"));
        return;
    }
    struct name name = name_of(request->app->index, prefix.at != NULL ? prefix : text_of(""));
    struct api_call *call = api_call_new(request->shard, request->shard->hub.homes);
    for (uint32_t i = 0; call != NULL && i < call->parts_count; i++) {
        call->parts[i] = query_new(QUERY_CHANNELS, &name);
        if (call->parts[i] == NULL) {
            api_call_free(&request->shard->counters, call);
            call = NULL;
            break;
        }
        call->parts[i]->info = info;
    }
    if (call == NULL) {
        refuse_for_memory(request);
        return;
    }
    call->compose = compose_channels;
    api_ask(request, call);
}

/* ---- GET /channels/NAME ---- */

static enum rc compose_channel(const struct api_call *call, struct span **body)
{
    const struct query *part = call->parts[0];
    enum rc rc = api_append(body, part->facts.subscription_count > 0 ? "{\"occupied\":true" : "{\"occupied\":false");
    if (rc == RC_OK && (call->info & ~(unsigned)QUERY_INFO_CACHE)) {
        rc = api_append(body, ",");
        if (rc == RC_OK) rc = query_append_facts(body, &part->name, call->info, &part->facts);
    }
    if (rc == RC_OK && (call->info & QUERY_INFO_CACHE)) {
        rc = api_append(body, ",\"cache\":");
        if (rc == RC_OK && part->text != NULL) {
            rc = span_append(body, part->text->bytes, part->text->count);
        } else if (rc == RC_OK) {
            rc = api_append(body, "null");
        }
    }
    return rc == RC_OK ? api_append(body, "}") : rc;
}

void api_read_channel(const struct api_request *request)
{
    unsigned info;
    struct channel_type type = channel_type_of(request->subject);
    if (!name_is_valid(request->subject)) {
        refuse(request, 400, "Invalid channel name: use 1 to 200 characters of A-Z a-z 0-9 _ - = @ , . ;");
        return;
    }
    unsigned allowed = QUERY_INFO_SUBSCRIPTION_COUNT;
    if (type.is_presence) allowed |= QUERY_INFO_USER_COUNT;
    if (type.is_cache) allowed |= QUERY_INFO_CACHE;
    if (!api_read_info(query_string_get(&request->query, "info"), allowed, &info)) {
        refuse(request, 400,
               "Invalid info: expected subscription_count, of presence channels user_count, of cache channels cache");
        return;
    }
    struct name name = name_of(request->app->index, request->subject);
    ask_one(request, &(struct query){.kind = QUERY_CHANNEL, .name = name, .info = info}, compose_channel);
}

/* ---- GET /channels/NAME/history ---- */

#define HISTORY_ITEMS_DEFAULT 100

static enum rc compose_history(const struct api_call *call, struct span **body)
{
    const struct span *page = call->parts[0]->text;
    enum rc rc = api_append(body, "{");
    if (rc == RC_OK) rc = span_append(body, page->bytes, page->count);
    return rc == RC_OK ? api_append(body, "}") : rc;
}

/* Reads a number that may be absent: *number_r is then left as it is. */
static bool read_number(const struct api_request *request, const char *name, uint64_t *number_r)
{
    struct text text = query_string_get(&request->query, name);
    return text.at == NULL || text_is_number(text, number_r);
}

void api_read_history(const struct api_request *request)
{
    uint64_t limit = HISTORY_ITEMS_DEFAULT;
    struct query_page page = {.before = UINT64_MAX};
    struct text epoch = query_string_get(&request->query, "epoch");
    page.is_from_end = query_string_get(&request->query, "since").at == NULL;
    if (!name_is_valid(request->subject)) {
        refuse(request, 400, "Invalid channel name: use 1 to 200 characters of A-Z a-z 0-9 _ - = @ , . ;");
        return;
    }
    bool is_number = read_number(request, "since", &page.since) && read_number(request, "before", &page.before) &&
                     read_number(request, "limit", &limit);
    if (!is_number || page.before == 0 || limit < 1 || limit > HISTORY_ITEMS_MAX || epoch.count > EPOCH_BYTES) {
        refuse(request, 400,
               "Invalid history: expected limit from 1 to 1000, since and before offsets, epoch as it was told");
        return;
    }
    page.limit = (uint32_t)limit;
    if (epoch.count > 0) memcpy(page.epoch, epoch.at, epoch.count);
    struct name name = name_of(request->app->index, request->subject);
    ask_one(request, &(struct query){.kind = QUERY_HISTORY, .name = name, .page = page}, compose_history);
}

/* ---- GET /channels/NAME/users ---- */

static enum rc compose_users(const struct api_call *call, struct span **body)
{
    const struct span *users = call->parts[0]->text;
    enum rc rc = api_append(body, "{\"users\":[");
    if (rc == RC_OK && users != NULL) rc = span_append(body, users->bytes, users->count);
    return rc == RC_OK ? api_append(body, "]}") : rc;
}

/* A parameter that is neither of the signature; at == NULL: none. */
static struct text find_extraneous(const struct api_request *request)
{
    for (uint32_t i = 0; i < request->query.count; i++) {
        struct text name = request->query.parameters[i].name;
        if (!text_has_prefix(name, "auth_") && !text_is(name, "body_md5")) return name;
    }
    return (struct text){0};
}

void api_read_users(const struct api_request *request)
{
    if (!name_is_valid(request->subject) || !channel_type_of(request->subject).is_presence) {
        refuse(request, 400, "Users are known of presence channels only");
        return;
    }
    struct text extraneous = find_extraneous(request);
    if (extraneous.at != NULL) {
        char *words;
        int count = asprintf(&words, "The following query string parameters are extraneous: %.*s",
                             (int)extraneous.count, extraneous.at);
        if (count < 0) {
            refuse_for_memory(request);
        } else {
            api_refuse(request->shard, request->connection, &(struct api_refusal){400, words, words});
        }
        return;
    }
    struct name name = name_of(request->app->index, request->subject);
    ask_one(request, &(struct query){.kind = QUERY_USERS, .name = name}, compose_users);
}

/* ---- the rest ---- */

void api_read_connections(const struct api_request *request)
{
    char body[48];
    int count = snprintf(body, sizeof body, "{\"connections\":%llu}",
                         (unsigned long long)ck_pr_load_64(&request->shard->app_connections[request->app->index]));
    api_answer(request->shard, request->connection, 200, API_JSON, (struct text){body, (size_t)count});
}

static enum rc compose_nothing(const struct api_call *call, struct span **body)
{
    (void)call;
    return api_append(body, "{}");
}

void api_terminate(const struct api_request *request)
{
    char memory[NAME_BYTES_MAX];
    struct name name;
    static const uint32_t no_frames[FORMS_MAX];
    if (!user_channel(request->app, request->subject, memory, &name)) {
        refuse(request, 400, "Invalid user id: use 1 to 128 bytes of UTF-8 without control characters");
        return;
    }
    struct api_call *call = api_call_new(request->shard, 1);
    struct query *query = query_new(QUERY_TERMINATE, &name);
    struct message *message = message_new(&request->shard->counters, &name, no_frames);
    if (call == NULL || query == NULL || message == NULL) {
        api_call_free(&request->shard->counters, call);
        query_free(&request->shard->counters, query);
        if (message != NULL) message_drop(&request->shard->counters, message);
        refuse_for_memory(request);
        return;
    }
    query->message = message;
    call->parts[0] = query;
    call->compose = compose_nothing;
    api_ask(request, call);
}
