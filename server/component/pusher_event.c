/* server/component/pusher_event.c - events that clients send to each other, without a backend between them. */
#include "server/component/pusher_event.h"

#include "core/channel.h"
#include "core/channel_type.h"
#include "core/join.h"
#include "core/message.h"
#include "core/query.h"
#include "server/component/pusher_ack.h"
#include "server/component/pusher_command.h"
#include "server/component/pusher_subscribe.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/protocol/event.h"
#include "server/shard/shard.h"

#include <stdlib.h>

#define SECOND_MS 1000

/* Counts the event; true: it is one too many in this second. */
static bool is_too_fast(const struct command *command)
{
    struct pusher *pusher = command->pusher;
    if (command->shard->now_ms >= pusher->events_ms + SECOND_MS) {
        pusher->events_ms = command->shard->now_ms;
        pusher->events = 0;
    }
    return ++pusher->events > pusher_app(command)->client_events_per_second;
}

static struct publisher publisher_of(const struct command *command, bool is_excluded)
{
    return (struct publisher){
        .shard = command->shard->index,
        .slot = shard_slot(command->shard, command->connection),
        .life = command->connection->life,
        .random = command->pusher->random,
        .is_excluded = is_excluded,
    };
}

/* Members of presence channels are known, and who is signed in on a channel of two guests. */
static struct text sender_id(const struct command *command, const struct subscription *subscription)
{
    const struct user *user = command->pusher->user;
    if (subscription->join != NULL) return subscription->join->user_id;
    bool is_known = user != NULL && user->is_signed_in && text_has_prefix(command->channel, CHANNEL_DIRECT_PREFIX);
    return is_known ? user->id : (struct text){0};
}

static void send_event(const struct command *command, const struct subscription *subscription, struct text data)
{
    struct shard *shard = command->shard;
    struct event event = {
        .name = command->event,
        .channel = command->channel,
        .data = data,
        .user_id = sender_id(command, subscription),
    };
    struct message *message = event_message(&shard->counters, &subscription->channel->name, &event);
    if (message == NULL) {
        connection_close(shard, command->connection, CLOSE_NO_MEMORY);
        return;
    }
    message->origin = ORIGIN_CLIENT;
    message->publisher = publisher_of(command, true);
    pusher_publish(command, message);
}

/* Is it as large as an event may be? Otherwise the sender is told. */
static bool has_fitting_size(const struct command *command, struct text data)
{
    uint64_t most = pusher_app(command)->event_bytes_max;
    if (data.count <= most) return true;
    pusher_refuse_event(command, CODE_CLIENT_EVENT, CODE_CLIENT_EVENT, false,
                        "Client event rejected: its data is larger than %llu bytes", (unsigned long long)most);
    return false;
}

/* A string's text is passed on as it is, anything else as the JSON that it is; none as null. */
static void send_data(const struct command *command, const struct subscription *subscription)
{
    size_t bytes;
    char *json = NULL;
    struct text data = command->data != NULL ? json_text(command->data) : text_of("null");
    if (command->data != NULL && !yyjson_is_str(command->data)) {
        if (json_write(command->data, &json, &bytes) != RC_OK) {
            connection_close(command->shard, command->connection, CLOSE_NO_MEMORY);
            return;
        }
        data = (struct text){json, bytes};
    }
    if (has_fitting_size(command, data)) send_event(command, subscription, data);
    free(json);
}

static bool has_good_id(const struct command *command)
{
    if (!command->has_bad_id && (command->id.at == NULL || query_key_is_valid(command->id))) return true;
    pusher_error(command, CODE_NONE,
                 "Invalid event: its id is a string of 1 to %d bytes without control characters, and once",
                 QUERY_KEY_BYTES_MAX);
    return false;
}

/* The subscription that lets the client send to this channel, this fast; NULL: it was told why not. */
static const struct subscription *find_way(const struct command *command)
{
    struct text channel = command->channel;
    const struct subscription *subscription = pusher_subscription(command, channel);
    if (subscription == NULL) {
        int shown = name_is_valid(channel) ? (int)channel.count : 0;
        pusher_refuse_event(command, CODE_NONE, CODE_FORBIDDEN, false,
                            "Cannot broadcast client event (connection not subscribed to channel %.*s)", shown,
                            channel.at);
        return NULL;
    }
    if (!is_too_fast(command)) return subscription;
    pusher_refuse_event(command, CODE_CLIENT_EVENT, CODE_CLIENT_EVENT, true,
                        "Client event rejected: more than %u in a second",
                        pusher_app(command)->client_events_per_second);
    return NULL;
}

void pusher_client_event(const struct command *command)
{
    const struct app *app = pusher_app(command);
    struct text channel = command->channel;
    if (!has_good_id(command)) return;
    if (channel.at == NULL) {
        pusher_refuse_event(command, CODE_NONE, CODE_MALFORMED, false, "Invalid client event (must contain channel)");
        return;
    }
    if (!app->client_events) {
        pusher_refuse_event(command, CODE_CLIENT_EVENT, CODE_CLIENT_EVENT, false,
                            "Client events are not enabled for this app (client_events=yes)");
        return;
    }
    if (command->event.count > NAME_BYTES_MAX) {
        pusher_refuse_event(command, CODE_CLIENT_EVENT, CODE_CLIENT_EVENT, false,
                            "Client event rejected: its name is longer than %d bytes", NAME_BYTES_MAX);
        return;
    }
    if (!channel_type_of(channel).has_client_events) {
        pusher_refuse_event(
            command, CODE_NONE, CODE_FORBIDDEN, false,
            "Client event rejected: only private and presence channels that are not encrypted take them");
        return;
    }
    const struct subscription *subscription = find_way(command);
    if (subscription != NULL) send_data(command, subscription);
}

/* ---- rooms ---- */

static void send_to_room(const struct command *command, const struct subscription *subscription, struct text data)
{
    struct shard *shard = command->shard;
    struct event event = {.name = text_of(EVENT_OF_ROOMS), .data = data};
    struct message *message = event_message_raw(&shard->counters, &subscription->channel->name, &event);
    if (message == NULL) {
        connection_close(shard, command->connection, CLOSE_NO_MEMORY);
        return;
    }
    message->origin = ORIGIN_ROOM;
    message->publisher = publisher_of(command, !shard->options->lobby_echo);
    pusher_publish(command, message);
}

void pusher_room_event(const struct command *frame)
{
    struct command command = *frame; /* its data has what stands beside the data of a client event */
    enum rc id = pusher_string(frame->data, "id", &command.id);
    enum rc channel = pusher_string(frame->data, "channel", &command.channel);
    yyjson_val *data;
    command.has_bad_id = id == RC_EPROTO;
    if (!has_good_id(&command)) return;
    bool has_data = json_member(frame->data, "data", &data) == RC_OK && yyjson_is_str(data);
    if (channel != RC_OK || !has_data) {
        pusher_refuse_event(&command, CODE_NONE, CODE_MALFORMED, false,
                            "Invalid room event: data needs channel and data, strings");
        return;
    }
    if (!command.shard->options->rooms) {
        pusher_refuse_event(&command, CODE_NONE, CODE_FORBIDDEN, false,
                            "Room event rejected: there are no rooms here (--rooms=no)");
        return;
    }
    bool is_public = channel_type_is_public(channel_type_of(command.channel));
    if (!is_public || command.pusher->app != APP_OF_ROOMS) {
        pusher_refuse_event(&command, CODE_NONE, CODE_FORBIDDEN, false,
                            "Room event rejected: only public channels of the first app are rooms");
        return;
    }
    const struct subscription *subscription = find_way(&command);
    if (subscription != NULL && has_fitting_size(&command, json_text(data))) {
        send_to_room(&command, subscription, json_text(data));
    }
}
