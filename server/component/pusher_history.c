/* server/component/pusher_history.c - what ringcast adds to the protocol: pages of history.
 *
 * They are events without a channel, in a name that other clients ignore; each answers one frame, which it names. */
#include "server/component/pusher_history.h"

#include "core/batch.h"
#include "core/channel.h"
#include "core/json_text.h"
#include "core/query.h"
#include "core/span.h"
#include "server/component/pusher_ack.h"
#include "server/component/pusher_command.h"
#include "server/component/pusher_subscribe.h"
#include "server/connection/connection.h"
#include "server/connection/long_answer.h"
#include "server/protocol/event.h"
#include "server/shard/shard.h"

#include <stdio.h>
#include <stdlib.h>

#define HISTORY_EVENT "pusher_internal:ringcast_history"

#define ITEMS_DEFAULT 50

/* Says {"rid":1,"channel":"room",...}; `rest` is what follows, up to the closing brace. */
static void answer_history(const struct command *command, const char *tag, struct text channel, struct text rest)
{
    size_t bytes = strlen(tag) + json_text_bytes(channel) + rest.count + 40;
    char *data = malloc(bytes);
    if (data == NULL) {
        connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
        return;
    }
    char *to = data;
    to += snprintf(to, bytes, "{\"rid\":%s,\"channel\":\"", tag[0] != '\0' ? tag : "null");
    to = text_put(text_put(json_text_write(to, channel), text_of("\",")), rest);
    to = text_put(to, text_of("}"));
    struct event event = {.name = text_of(HISTORY_EVENT), .data = text_between(data, to)};
    connection_say_long(command->shard, command->connection, event_batch(&event, command->shard->now_ms));
    free(data);
}

static void refuse_history(const struct command *command, const char *tag, struct text channel, unsigned code,
                           const char *sentence)
{
    char rest[SENTENCE_BYTES];
    int count = snprintf(rest, sizeof rest, "\"error\":\"%s\",\"code\":%u", sentence, code);
    answer_history(command, tag, name_is_valid(channel) ? channel : text_of(""), (struct text){rest, (size_t)count});
}

/* A number or a string that comes back with the answer. False: it is too long, or neither. */
static bool read_tag(const struct command *command, char tag_r[QUERY_TAG_BYTES_MAX + 1])
{
    yyjson_val *value;
    char *json;
    size_t bytes;
    tag_r[0] = '\0';
    enum rc rc = json_member(command->data, "rid", &value);
    if (rc == RC_ENOENT) return true;
    bool is_scalar = rc == RC_OK && (yyjson_is_raw(value) || yyjson_is_str(value));
    if (!is_scalar || json_text(value).count > 64 || json_write(value, &json, &bytes) != RC_OK) return false;
    bool fits = bytes <= QUERY_TAG_BYTES_MAX;
    if (fits) memcpy(tag_r, json, bytes);
    if (fits) tag_r[bytes] = '\0';
    free(json);
    return fits;
}

/* Reads a number of the command's data, if it is there. False: there is one, and it is no number. */
static bool read_number(const struct command *command, const char *name, uint64_t *number_r, bool *is_there_r)
{
    yyjson_val *value;
    enum rc rc = json_member(command->data, name, &value);
    *is_there_r = rc != RC_ENOENT && !yyjson_is_null(value);
    if (!*is_there_r) return true;
    return rc == RC_OK && yyjson_is_raw(value) && text_is_number(json_text(value), number_r);
}

static bool read_page(const struct command *command, struct query_page *page_r)
{
    uint64_t limit = ITEMS_DEFAULT;
    bool has_limit, has_since, has_before;
    *page_r = (struct query_page){.before = UINT64_MAX};
    if (!read_number(command, "limit", &limit, &has_limit) ||
        !read_number(command, "since", &page_r->since, &has_since) ||
        !read_number(command, "before", &page_r->before, &has_before)) {
        return false;
    }
    page_r->limit = limit < HISTORY_ITEMS_MAX ? (uint32_t)limit : HISTORY_ITEMS_MAX;
    page_r->is_from_end = !has_since;
    return limit > 0 && page_r->before > 0;
}

void pusher_history(const struct command *command)
{
    struct text channel;
    struct query_page page;
    char tag[QUERY_TAG_BYTES_MAX + 1] = "";
    if (!pusher_may_ask(command)) return;
    bool has_tag = read_tag(command, tag); /* first: it goes with every refusal */
    if (!has_tag || pusher_string(command->data, "channel", &channel) != RC_OK || !read_page(command, &page)) {
        refuse_history(command, tag, (struct text){0}, CODE_MALFORMED,
                       "Expected channel, and limit, before and since as positive numbers, rid of at most 64 bytes");
        return;
    }
    const struct subscription *subscription = pusher_subscription(command, channel);
    if (subscription == NULL) {
        refuse_history(command, tag, channel, CODE_FORBIDDEN, "The connection does not subscribe to this channel");
        return;
    }
    if (pusher_asks_too_fast(command)) {
        refuse_history(command, tag, channel, CODE_CLIENT_EVENT, "The connection asks too often: wait ten seconds");
        return;
    }
    struct query *query = query_new(QUERY_HISTORY, &subscription->channel->name);
    if (query == NULL) {
        connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
        return;
    }
    query->page = page;
    memcpy(query->tag, tag, sizeof tag);
    long_answer_asked(command->shard, command->connection);
    pusher_ask(command, query);
}

void pusher_history_came(const struct command *command, const struct query *query)
{
    struct text channel = name_text(&query->name);
    if (query->rc == RC_OK) {
        const struct span *page = query->text;
        answer_history(command, query->tag, channel, (struct text){(const char *)page->bytes, page->count});
    } else if (query->rc == RC_ENOENT) {
        refuse_history(command, query->tag, channel, CODE_NO_HISTORY, "The channel keeps no history");
    } else {
        refuse_history(command, query->tag, channel, CODE_UNAVAILABLE, "The history cannot be read now: try again");
    }
}
