/* server/pusher_event.c - events that clients send to each other, without a backend between them. */
#include "server/pusher_private.h"

#include "core/channel.h"
#include "core/channel_type.h"
#include "core/message.h"
#include "server/publish.h"
#include "server/subscribe.h"
#include "server/webhook.h"

#include <stdlib.h>

#define SECOND_MS 1000

/* Counts the event; true: it is one too many in this second. */
static bool is_too_fast(const struct command *command)
{
    struct pusher *pusher_of = command->pusher;
    if (command->shard->now_ms >= pusher_of->events_ms + SECOND_MS) {
        pusher_of->events_ms = command->shard->now_ms;
        pusher_of->events = 0;
    }
    return ++pusher_of->events > pusher_of->app->client_events_per_second;
}

static void tell_webhook(const struct command *command, const struct event *event)
{
    char memory[SOCKET_ID_BYTES_MAX];
    shard_tell_webhook(command->shard, command->pusher->app->index,
                       &(struct webhook_event){
                           .kind = WEBHOOK_client_event,
                           .channel = event->channel,
                           .event = event->name,
                           .data = event->data,
                           .user_id = event->user_id,
                           .socket_id = pusher_socket_id(command->shard, command->connection, memory),
                       });
}

static void send_event(const struct command *command, const struct subscription *subscription, struct text data)
{
    struct shard *shard = command->shard;
    struct connection *connection = command->connection;
    struct event event = {
        .name = command->event,
        .channel = command->channel,
        .data = data,
        .user_id = subscription->join != NULL ? subscription->join->user_id : (struct text){0},
    };
    struct message *message = event_message(&shard->counters, &subscription->channel->name, &event);
    if (message == NULL) {
        connection_close(shard, connection, CLOSE_NO_MEMORY);
        return;
    }
    message->publisher = (struct publisher){
        .shard = shard->index,
        .slot = shard_slot(shard, connection),
        .life = connection->life,
        .is_excluded = true,
    };
    tell_webhook(command, &event);
    if (publish(shard, message) == RC_PENDING) connection_pause(shard, connection);
}

/* A string's text is passed on as it is, anything else as the JSON that it is. */
static void send_data(const struct command *command, const struct subscription *subscription)
{
    size_t bytes;
    char *json = NULL;
    struct text data = json_text(command->data);
    if (!yyjson_is_str(command->data)) {
        if (json_write(command->data, &json, &bytes) != RC_OK) {
            connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
            return;
        }
        data = (struct text){json, bytes};
    }
    uint64_t most = command->pusher->app->event_bytes_max;
    if (data.count > most) {
        pusher_error(command, CODE_CLIENT_EVENT, "Client event rejected: its data is larger than %llu bytes",
                     (unsigned long long)most);
    } else {
        send_event(command, subscription, data);
    }
    free(json);
}

void pusher_client_event(const struct command *command)
{
    const struct app *app = command->pusher->app;
    struct text channel = command->channel;
    if (channel.at == NULL || command->data == NULL) {
        pusher_error(command, CODE_NONE, "Invalid client event (must contain channel and data)");
        return;
    }
    if (!app->client_events) {
        pusher_error(command, CODE_CLIENT_EVENT, "Client events are not enabled for this app (client_events=yes)");
        return;
    }
    if (command->event.count > NAME_BYTES_MAX) {
        pusher_error(command, CODE_CLIENT_EVENT, "Client event rejected: its name is longer than %d bytes",
                     NAME_BYTES_MAX);
        return;
    }
    if (!channel_type_of(channel).has_client_events) {
        pusher_error(command, CODE_NONE,
                     "Client event rejected: only private and presence channels that are not encrypted take them");
        return;
    }
    struct name name = name_of(app->index, channel);
    const struct subscription *subscription = subscription_find(command->connection, &name, FORM_EVENT);
    if (subscription == NULL || subscription->is_pending) {
        int shown = name_is_valid(channel) ? (int)channel.count : 0;
        pusher_error(command, CODE_NONE, "Cannot broadcast client event (connection not subscribed to channel %.*s)",
                     shown, channel.at);
        return;
    }
    if (is_too_fast(command)) {
        pusher_error(command, CODE_CLIENT_EVENT, "Client event rejected: more than %u in a second",
                     app->client_events_per_second);
        return;
    }
    send_data(command, subscription);
}
