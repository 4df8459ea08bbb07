/* server/home/query.c - a home's answers to backends and clients.
 *
 * The list of channels is made in one go: with a hundred thousand of them at one home that takes some milliseconds. */
#include "server/home/query.h"

#include "core/channel.h"
#include "core/channel_type.h"
#include "core/json_text.h"
#include "core/message.h"
#include "core/presence.h"
#include "core/roster.h"
#include "core/span.h"
#include "server/component/lobby.h"
#include "server/component/pusher.h"
#include "server/home/history_page.h"
#include "server/home/home_publish.h"
#include "server/http/api_call.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

struct query *query_new(enum query_kind kind, const struct name *name)
{
    struct query *query = malloc(sizeof *query + name->length);
    if (query == NULL) return NULL;
    char *text = (char *)(query + 1);
    if (name->length > 0) memcpy(text, name->text, name->length);
    *query = (struct query){.kind = kind, .name = *name};
    query->name.text = text;
    return query;
}

struct query *query_new_behind(struct counters *counters, const struct name *channel)
{
    static const uint32_t no_frames[FORMS_MAX];
    struct query *query = query_new(QUERY_PUBLISH, channel);
    struct message *message = query != NULL ? message_new(counters, channel, no_frames) : NULL;
    if (message == NULL) {
        query_free(counters, query);
        return NULL;
    }
    message->origin = ORIGIN_SERVER;
    query->message = message;
    return query;
}

enum rc query_ask(struct shard *shard, uint32_t slot, enum query_asker asker, struct query *query)
{
    uint32_t home = hub_home(&shard->hub, &query->name);
    query->asker = asker;
    query->shard = shard->index;
    query->slot = slot;
    query->serial = shard->connections[slot].life;
    bool must_wait = query->message != NULL && crowd_must_wait(shard, query->message);
    enum rc rc = RC_OK;
    if (home != shard->index) {
        rc = post_send(shard, home, LETTER_ASK, query);
    } else {
        query_take(shard, query);
        if (shard->deliveries_waiting > 0) rc = RC_PENDING;
    }
    return must_wait ? RC_PENDING : rc;
}

void query_free(struct counters *counters, struct query *query)
{
    if (query == NULL) return;
    if (query->message != NULL) message_drop(counters, query->message);
    span_free(&query->text);
    free(query);
}

bool query_key_is_valid(struct text key)
{
    for (size_t i = 0; i < key.count; i++) {
        if ((unsigned char)key.at[i] < ' ' || key.at[i] == 0x7f) return false;
    }
    return key.count > 0 && key.count <= QUERY_KEY_BYTES_MAX;
}

void query_set_key(struct query *query, enum query_asker asker, struct text key)
{
    static_assert(sizeof query->key == 1 + QUERY_KEY_BYTES_MAX + 1, "a letter, the key, its end");
    query->key[0] = asker == QUERY_OF_CLIENT ? RECEIPT_LETTER_CLIENT : RECEIPT_LETTER_BACKEND;
    memcpy(query->key + 1, key.at, key.count);
    query->key[1 + key.count] = '\0';
}

struct text query_key(const struct query *query)
{
    return text_of(query->key[0] == '\0' ? query->key : query->key + 1);
}

/* ---- pieces of JSON ---- */

enum rc query_append_string(struct span **span, struct text text)
{
    size_t bytes = json_text_bytes(text) + 2;
    char *string = malloc(bytes);
    if (string == NULL) return RC_ENOMEM;
    string[0] = '"';
    *json_text_write(string + 1, text) = '"';
    enum rc rc = span_append(span, (const uint8_t *)string, (uint32_t)bytes);
    free(string);
    return rc;
}

enum rc query_append_facts(struct span **span, const struct name *channel, unsigned info,
                           const struct query_facts *facts)
{
    char text[160] = "";
    size_t used = 0;
    if ((info & QUERY_INFO_USER_COUNT) && channel_type_of(name_text(channel)).is_presence) {
        used += (size_t)snprintf(text, sizeof text, "\"user_count\":%u", facts->user_count);
    }
    if (info & QUERY_INFO_SUBSCRIPTION_COUNT) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\"subscription_count\":%u", used > 0 ? "," : "",
                                 facts->subscription_count);
    }
    if ((info & QUERY_INFO_POSITION) && position_is_set(&facts->position)) {
        snprintf(text + used, sizeof text - used, "%s\"offset\":%llu,\"epoch\":\"%s\"", used > 0 ? "," : "",
                 (unsigned long long)facts->position.offset, facts->position.epoch);
    }
    return span_append_text(span, text_of(text));
}

/* ---- answers ---- */

static uint32_t users_of(const struct roster *roster)
{
    return roster->presence != NULL ? presence_count(roster->presence) : 0;
}

/* {"data":"...","ttl":60} */
static enum rc append_kept(const struct shard *shard, struct query *query, const struct roster *roster)
{
    const struct message *kept = roster->kept;
    char ttl[40];
    uint64_t left_ms = roster->kept_until_ms > shard->now_ms ? roster->kept_until_ms - shard->now_ms : 0;
    snprintf(ttl, sizeof ttl, ",\"ttl\":%llu}", (unsigned long long)((left_ms + 999) / 1000));
    enum rc rc = span_append_text(&query->text, text_of("{\"data\":"));
    if (rc == RC_OK) {
        struct text data = message_part_text(kept, kept->data);
        rc = span_append_text(&query->text, data);
    }
    return rc == RC_OK ? span_append_text(&query->text, text_of(ttl)) : rc;
}

static enum rc answer_channel(const struct shard *shard, struct query *query)
{
    const struct channel *channel = hub_find(&shard->hub, &query->name);
    if (channel == NULL) return RC_OK;
    const struct roster *roster = channel->roster;
    query->facts.subscription_count = roster_subscribers(roster);
    query->facts.user_count = users_of(roster);
    bool wants_kept = (query->info & QUERY_INFO_CACHE) && roster->kept != NULL;
    return wants_kept ? append_kept(shard, query, roster) : RC_OK;
}

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
        struct query_facts facts = {.user_count = users_of(channel->roster),
                                    .subscription_count = roster_subscribers(channel->roster)};
        if (rc == RC_OK) rc = query_append_facts(&query->text, &channel->name, query->info, &facts);
        if (rc == RC_OK) rc = span_append_text(&query->text, text_of("}"));
    }
    return rc;
}

/* RC_PENDING: it will be. */
static enum rc answer(struct shard *shard, struct query *query)
{
    struct message *message = query->message;
    query->message = NULL;
    switch (query->kind) {
    case QUERY_PUBLISH:
        home_publish(shard, message, query);
        return RC_PENDING;
    case QUERY_CHANNEL:
        return answer_channel(shard, query);
    case QUERY_USERS:
        return answer_users(shard, query);
    case QUERY_CHANNELS:
        return answer_channels(shard, query);
    case QUERY_TERMINATE:
        home_terminate(shard, message);
        return RC_OK;
    case QUERY_HISTORY:
        return history_page(shard, query);
    }
    __builtin_unreachable();
}

void query_take(struct shard *shard, struct query *query)
{
    enum rc rc = answer(shard, query);
    if (rc != RC_PENDING) query_done(shard, query, rc);
}

void query_published(struct shard *shard, struct query *query, enum rc rc)
{
    if (rc == RC_OK) rc = answer_channel(shard, query);
    query_done(shard, query, rc);
}

void query_done(struct shard *shard, struct query *query, enum rc rc)
{
    query->rc = rc;
    if (query->shard == shard->index) {
        query_answered(shard, query);
    } else {
        post_send(shard, query->shard, LETTER_ANSWER, query);
    }
}

void query_answered(struct shard *shard, struct query *query)
{
    switch (query->asker) {
    case QUERY_OF_BACKEND:
        api_answered(shard, query);
        break;
    case QUERY_OF_CLIENT:
        pusher_answered(shard, query);
        break;
    case QUERY_OF_ROOM:
        lobby_answered(shard, query);
        break;
    }
}
