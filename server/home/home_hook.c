/* server/home/home_hook.c - events for webhooks. */
#include "server/home/home_hook.h"

#include "core/channel.h"
#include "core/message.h"
#include "core/position.h"
#include "core/roster.h"
#include "server/config/app.h"
#include "server/protocol/socket_id.h"
#include "server/shard/shard.h"
#include "server/webhook/webhook.h"

#include <assert.h>

/* Queues an event for the app's webhook; the event's app is filled in here. A queue that is full is counted. */
static void tell_webhook(struct shard *shard, uint16_t index, struct webhook_event *event)
{
    const struct app *app = shard_app(shard, index);
    event->app = index;
    if (shard->webhooks == NULL || app->webhook[0] == '\0') return;
    shard->home.has_told_webhook =
        webhooks_tell(shard->webhooks, shard->index, app, event) || shard->home.has_told_webhook;
}

void home_tell_backend(struct shard *shard, const struct roster *roster, enum webhook_kind kind, struct text user_id,
                       uint32_t count)
{
    assert(owner_is_me(&shard->owner));
    const struct name *name = &roster->channel->name;
    if (roster->type.is_user) return;
    tell_webhook(
        shard, name->app,
        &(struct webhook_event){.kind = kind, .channel = name_text(name), .user_id = user_id, .count = count});
}

void home_tell_news(struct shard *shard, struct text app, struct webhook_event *event)
{
    assert(owner_is_me(&shard->owner));
    const struct app *found = app_of_id(&shard->options->app, app);
    if (found != NULL) tell_webhook(shard, found->index, event);
}

void home_tell_occupied(struct shard *shard, const struct roster *roster, bool is_occupied)
{
    assert(owner_is_me(&shard->owner));
    home_tell_backend(shard, roster, is_occupied ? WEBHOOK_channel_occupied : WEBHOOK_channel_vacated,
                      (struct text){0}, 0);
}

void home_tell_miss(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    if (roster->is_miss_told) return;
    roster->is_miss_told = true;
    home_tell_backend(shard, roster, WEBHOOK_cache_miss, (struct text){0}, 0);
}

static struct text part_of(const struct message *message, struct message_part part)
{
    return part.bytes > 0 ? message_part_text(message, part) : (struct text){0};
}

void home_tell_client_event(struct shard *shard, const struct message *message)
{
    assert(owner_is_me(&shard->owner));
    if (!app_has_webhook(shard_app(shard, message->channel.app), WEBHOOK_client_event)) return;
    char memory[SOCKET_ID_BYTES_MAX];
    const struct publisher *publisher = &message->publisher;
    tell_webhook(shard, message->channel.app,
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

void home_tell_room_message(struct shard *shard, const struct message *message, const struct position *position)
{
    assert(owner_is_me(&shard->owner));
    if (!app_has_webhook(shard_app(shard, message->channel.app), WEBHOOK_room_message)) return;
    char memory[SOCKET_ID_BYTES_MAX];
    const struct publisher *publisher = &message->publisher;
    tell_webhook(shard, message->channel.app,
                 &(struct webhook_event){
                     .kind = WEBHOOK_room_message,
                     .channel = name_text(&message->channel),
                     .data = part_of(message, message->data),
                     .socket_id = socket_id_write(memory, publisher->random, publisher->shard, publisher->slot,
                                                  publisher->life),
                     .epoch = text_of(position->epoch),
                     .offset = position->offset,
                 });
}
