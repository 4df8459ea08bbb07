/* server/component/pusher_ack.c - what ringcast adds to the protocol: acknowledgements.
 *
 * They are events without a channel, in a name that other clients ignore; each answers one frame, which it names. */
#include "server/component/pusher_ack.h"

#include "core/channel.h"
#include "core/json_text.h"
#include "core/message.h"
#include "core/query.h"
#include "server/channel/publish.h"
#include "server/component/pusher_command.h"
#include "server/connection/connection.h"
#include "server/connection/reading.h"
#include "server/shard/post.h"
#include "server/shard/shard.h"

#include <stdarg.h>
#include <stdio.h>

#define ACK_EVENT     "pusher_internal:ringcast_ack"
/* An id or a channel's name, each of its bytes escaped, and what stands around them; a sentence. */
#define ACK_BYTES_MAX (6 * (QUERY_KEY_BYTES_MAX + NAME_BYTES_MAX) + 6 * SENTENCE_BYTES + 200)

/* ---- asking homes ---- */

void pusher_ask(const struct command *command, struct query *query)
{
    struct shard *shard = command->shard;
    struct connection *connection = command->connection;
    command->pusher->asked++;
    enum rc rc = post_ask(shard, shard_slot(shard, connection), connection->life, QUERY_OF_CLIENT, query);
    if (rc == RC_PENDING) reading_pause(shard, connection);
}

/* ---- acknowledgements ---- */

/* {"id":"Zk3","channel":"private-x" - `tail` follows, up to the closing brace. */
static void acknowledge(const struct command *command, struct text id, struct text channel, const char *tail)
{
    char data[ACK_BYTES_MAX];
    char *to = text_put(data, text_of("{\"id\":\""));
    to = json_text_write(to, id);
    if (name_is_valid(channel)) {
        to = text_put(to, text_of("\",\"channel\":\""));
        to = text_put(to, channel);
    }
    to = text_put(text_put(to, text_of("\"")), text_of(tail));
    pusher_say(command, ACK_EVENT, (struct text){0}, text_between(data, to));
}

static void refuse(const struct command *command, struct text id, struct text channel, unsigned code, bool may_retry,
                   const char *sentence)
{
    char tail[6 * SENTENCE_BYTES + 100];
    char *to = text_put(tail, text_of(",\"error\":\""));
    to = json_text_write(to, text_of(sentence));
    snprintf(to, 60, "\",\"code\":%u,\"retry\":%s}", code, may_retry ? "true" : "false");
    acknowledge(command, id, channel, tail);
}

void pusher_refuse_event(const struct command *command, unsigned error_code, unsigned code, bool may_retry,
                         const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (command->id.at != NULL) {
        refuse(command, command->id, command->channel, code, may_retry, sentence);
    } else {
        pusher_error(command, error_code, "%s", sentence);
    }
}

void pusher_publish(const struct command *command, struct message *message)
{
    struct shard *shard = command->shard;
    if (command->id.at == NULL) {
        /* The message's echo is no answer: one behind it is asked for, so that it is waited for when the client
         * closes. */
        bool has_echo = !message->publisher.is_excluded;
        struct query *behind = has_echo ? query_new_behind(&shard->counters, &message->channel) : NULL;
        if (publish(shard, message) == RC_PENDING) reading_pause(shard, command->connection);
        if (behind != NULL) pusher_ask(command, behind);
        return;
    }
    struct query *query = query_new(QUERY_PUBLISH, &message->channel);
    if (query == NULL) {
        message_drop(&shard->counters, message);
        connection_close(shard, command->connection, CLOSE_NO_MEMORY);
        return;
    }
    query->message = message;
    query_set_key(query, QUERY_OF_CLIENT, command->id);
    pusher_ask(command, query);
}

void pusher_published(const struct command *command, const struct query *query)
{
    char tail[80] = "}";
    struct text id = query_key(query), channel = name_text(&query->name);
    const struct position *position = &query->facts.position;
    switch (query->rc) {
    case RC_OK:
        if (position_is_set(position)) {
            snprintf(tail, sizeof tail, ",\"offset\":%llu,\"epoch\":\"%s\"}", (unsigned long long)position->offset,
                     position->epoch);
        }
        acknowledge(command, id, channel, tail);
        break;
    case RC_EFULL:
        refuse(command, id, channel, CODE_UNAVAILABLE, true, "The server has too much to keep: try again");
        break;
    case RC_ESTORE:
        refuse(command, id, channel, CODE_UNAVAILABLE, true, "The store cannot be used now: try again later");
        break;
    case RC_ECLUSTER:
        refuse(command, id, channel, CODE_UNAVAILABLE, true,
               "The other nodes cannot be reached now: try again later");
        break;
    default:
        refuse(command, id, channel, CODE_UNAVAILABLE, true, "The server is out of memory: try again");
        break;
    }
}
