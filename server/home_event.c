/* server/home_event.c - events about members, counts and users; greetings are in home_greeting.c. */
#include "server/home_event.h"

#include "core/channel.h"
#include "core/json_text.h"
#include "core/message.h"
#include "core/presence.h"
#include "core/roster.h"
#include "net/frame.h"
#include "server/app.h"
#include "server/event.h"
#include "server/home_publish.h"
#include "server/log.h"
#include "server/shard.h"
#include "server/socket_id.h"
#include "server/webhook.h"

#include <stdio.h>
#include <stdlib.h>

static void tell_backend(struct shard *shard, const struct roster *roster, enum webhook_kind kind,
                         struct text user_id, uint32_t count)
{
    const struct name *name = &roster->channel->name;
    if (roster->type.is_user) return;
    shard_tell_webhook(
        shard, name->app,
        &(struct webhook_event){.kind = kind, .channel = name_text(name), .user_id = user_id, .count = count});
}

static void publish_event(struct shard *shard, const struct roster *roster, const char *name, struct text data)
{
    struct event event = {.name = text_of(name), .data = data};
    struct message *message = event_message(&shard->counters, &roster->channel->name, &event);
    if (message != NULL) {
        home_deliver(shard, roster->channel, message);
    } else {
        log_error("out of memory: a channel's subscribers were not told %s", name);
    }
}

/* ---- members ---- */

/* {"user_id":"42"} or {"user_id":"42","user_info":{...}}; the caller frees. */
static char *member_data(struct text user_id, const struct text *user_info, size_t *bytes_r)
{
    static const char none[] = "null";
    size_t most = json_text_bytes(user_id) + (user_info != NULL ? user_info->count : 0) + 64;
    char *data = malloc(most);
    if (data == NULL) return NULL;
    char *to = text_put(data, text_of("{\"user_id\":\""));
    to = json_text_write(to, user_id);
    to = text_put(to, text_of("\""));
    if (user_info != NULL) {
        struct text info = user_info->at != NULL ? *user_info : text_of(none);
        to = text_put(text_put(to, text_of(",\"user_info\":")), info);
    }
    *bytes_r = (size_t)(text_put(to, text_of("}")) - data);
    return data;
}

static void tell_member(struct shard *shard, struct roster *roster, const char *event, struct text user_id,
                        const struct text *user_info)
{
    size_t bytes;
    char *data = member_data(user_id, user_info, &bytes);
    if (data == NULL) {
        log_error("out of memory: a channel's subscribers were not told %s", event);
        return;
    }
    publish_event(shard, roster, event, (struct text){data, bytes});
    free(data);
}

void home_tell_member_added(struct shard *shard, struct roster *roster, struct text user_id, struct text user_info)
{
    tell_member(shard, roster, "pusher_internal:member_added", user_id, &user_info);
    tell_backend(shard, roster, WEBHOOK_member_added, user_id, 0);
}

void home_tell_member_removed(struct shard *shard, struct roster *roster, struct text user_id)
{
    tell_member(shard, roster, "pusher_internal:member_removed", user_id, NULL);
    tell_backend(shard, roster, WEBHOOK_member_removed, user_id, 0);
}

/* ---- counts ---- */

void home_tell_occupied(struct shard *shard, const struct roster *roster, bool is_occupied)
{
    tell_backend(shard, roster, is_occupied ? WEBHOOK_channel_occupied : WEBHOOK_channel_vacated, (struct text){0},
                 0);
}

void home_tell_count(struct shard *shard, struct roster *roster)
{
    char data[48];
    uint32_t count = roster_subscribers(roster);
    int bytes = snprintf(data, sizeof data, "{\"subscription_count\":%u}", count);
    if (shard_app(shard, roster->channel->name.app)->subscription_counts) {
        publish_event(shard, roster, "pusher_internal:subscription_count", (struct text){data, (size_t)bytes});
    }
    tell_backend(shard, roster, WEBHOOK_subscription_count, (struct text){0}, count);
}

void home_tell_miss(struct shard *shard, struct roster *roster)
{
    if (roster->is_miss_told) return;
    roster->is_miss_told = true;
    tell_backend(shard, roster, WEBHOOK_cache_miss, (struct text){0}, 0);
}

/* ---- client events ---- */

static struct text part_of(const struct message *message, struct message_part part)
{
    return part.bytes > 0 ? message_part_text(message, part) : (struct text){0};
}

void home_tell_client_event(struct shard *shard, const struct message *message)
{
    if (!app_has_webhook(shard_app(shard, message->channel.app), WEBHOOK_client_event)) return;
    char memory[SOCKET_ID_BYTES_MAX];
    const struct publisher *publisher = &message->publisher;
    shard_tell_webhook(shard, message->channel.app,
                       &(struct webhook_event){
                           .kind = WEBHOOK_client_event,
                           .channel = name_text(&message->channel),
                           .event = part_of(message, message->event_name),
                           .data = part_of(message, message->data),
                           .sender_id = part_of(message, message->user_id),
                           .socket_id = socket_id_write(memory, publisher->random, publisher->shard, publisher->slot,
                                                        publisher->life),
                       });
}

void home_tell_room_message(struct shard *shard, const struct message *message, const char *epoch)
{
    if (!app_has_webhook(shard_app(shard, message->channel.app), WEBHOOK_room_message)) return;
    char memory[SOCKET_ID_BYTES_MAX];
    const struct publisher *publisher = &message->publisher;
    shard_tell_webhook(shard, message->channel.app,
                       &(struct webhook_event){
                           .kind = WEBHOOK_room_message,
                           .channel = name_text(&message->channel),
                           .data = part_of(message, message->data),
                           .socket_id = socket_id_write(memory, publisher->random, publisher->shard, publisher->slot,
                                                        publisher->life),
                           .epoch = text_of(epoch),
                           .offset = message->offset,
                       });
}

/* ---- users ---- */

void home_tell_user(struct shard *shard, struct roster *roster, bool is_online)
{
    const struct name *name = &roster->channel->name;
    struct text user_id = text_behind(name_text(name), strlen(CHANNEL_USER_PREFIX));
    char data[100 + 2 * NAME_BYTES_MAX]; /* of an id, which has no control characters, quotes alone grow */
    char *to = text_put(data, text_of("{\"events\":[{\"name\":\""));
    to = text_put(text_put(to, text_of(is_online ? "online" : "offline")), text_of("\",\"user_ids\":[\""));
    to = text_put(json_text_write(to, user_id), text_of("\"]}]}"));
    struct event event = {
        .name = text_of("pusher_internal:watchlist_events"),
        .data = text_between(data, to),
    };
    struct message *message = message_new_of(&shard->counters, name, FORM_WATCH, (uint32_t)event_frame_bytes(&event));
    if (message == NULL) {
        log_error("out of memory: those who watch a user were not told");
        return;
    }
    event_frame_write(&event, message_frame(message, FORM_WATCH));
    home_deliver(shard, roster->channel, message);
}
