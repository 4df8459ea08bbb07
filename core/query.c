/* core/query.c - making a query, and what its answer is written with. */
#include "core/query.h"

#include "core/channel_type.h"
#include "core/json_text.h"
#include "core/message.h"
#include "core/span.h"

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
    assert(channel->length > 0);
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
    assert(query_key_is_valid(key));
    static_assert(sizeof query->key == 1 + QUERY_KEY_BYTES_MAX + 1, "a letter, the key, its end");
    query->key[0] = asker == QUERY_OF_CLIENT ? RECEIPT_LETTER_CLIENT : RECEIPT_LETTER_BACKEND;
    memcpy(query->key + 1, key.at, key.count);
    query->key[1 + key.count] = '\0';
}

struct text query_key(const struct query *query)
{
    return text_of(query->key[0] == '\0' ? query->key : query->key + 1);
}

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
