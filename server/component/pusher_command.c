/* server/component/pusher_command.c - what every command of a channel client needs: saying events, reading members. */
#include "server/component/pusher_command.h"

#include "core/batch.h"
#include "server/connection/connection.h"
#include "server/connection/long_answer.h"
#include "server/protocol/event.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define ERROR_BYTES_MAX 640

const struct app *pusher_app(const struct command *command)
{
    assert(command->pusher->has_app);
    return shard_app(command->shard, command->pusher->app);
}

/* ---- saying ---- */

void pusher_error(const struct command *command, unsigned code, const char *format, ...)
{
    char text[ERROR_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    counter_add(&command->shard->counters, COUNTER_channel_errors, 1);
    connection_say(command->shard, command->connection,
                   event_error_batch(code, text_of(text), 0, command->shard->now_ms));
}

void pusher_say(const struct command *command, const char *event_name, struct text channel, struct text data)
{
    struct event event = {.name = text_of(event_name), .channel = channel, .data = data};
    connection_say(command->shard, command->connection, event_batch(&event, command->shard->now_ms));
}

/* ---- asking ---- */

bool pusher_may_ask(const struct command *command)
{
    enum rc rc = long_answer_may_ask(command->shard, command->connection, command->payload);
    if (rc == RC_ENOMEM) connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
    return rc == RC_OK;
}

struct text pusher_socket_id(const struct shard *shard, const struct connection *connection,
                             char memory[SOCKET_ID_BYTES_MAX])
{
    assert(owner_is_me(&shard->owner));
    return socket_id_write(memory, connection->pusher->random, shard->index, shard_slot(shard, connection),
                           connection->life);
}

/* ---- reading ---- */

enum rc pusher_string(yyjson_val *object, const char *name, struct text *text_r)
{
    yyjson_val *value;
    *text_r = (struct text){0};
    enum rc rc = json_member(object, name, &value);
    if (rc == RC_EPROTO) return rc;
    if (rc == RC_ENOENT || yyjson_is_null(value)) return RC_ENOENT;
    if (!yyjson_is_str(value)) return RC_EPROTO;
    *text_r = json_text(value);
    return RC_OK;
}
