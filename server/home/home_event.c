/* server/home/home_event.c - events about members, counts and users; greetings are in home_greeting.c. */
#include "server/home/home_event.h"

#include "core/channel.h"
#include "core/json_text.h"
#include "core/message.h"
#include "core/presence.h"
#include "core/roster.h"
#include "net/frame.h"
#include "server/config/app.h"
#include "server/home/home_deliver.h"
#include "server/home/home_hook.h"
#include "server/home/home_people_state.h"
#include "server/protocol/event.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void publish_event(struct shard *shard, const struct roster *roster, const struct event *event)
{
    struct message *message = event_message(&shard->counters, &roster->channel->name, event);
    if (message != NULL) {
        home_deliver(shard, roster->channel, message);
    } else {
        log_error("out of memory: a channel's subscribers were not told %.*s", (int)event->name.count,
                  event->name.at);
    }
}

/* ---- members ---- */

/* {"user_id":"42"} or {"user_id":"42","user_info":{...}}, escaped as it stands in a frame. */
static char *put_member(char *to, const struct presence_change *member, bool has_info)
{
    to = text_put(text_put(to, text_of("{\\\"user_id\\\":")), member->id_part);
    if (has_info) to = text_put(text_put(to, text_of(",\\\"user_info\\\":")), member->info_part);
    return text_put(to, text_of("}"));
}

static void tell_member(struct shard *shard, const struct roster *roster, const char *name,
                        const struct presence_change *member, bool has_info)
{
    char *data = malloc(member->id_part.count + member->info_part.count + 64);
    if (data == NULL) {
        log_error("out of memory: a channel's subscribers were not told %s", name);
        return;
    }
    struct event event = {.name = text_of(name), .is_escaped = true};
    event.data = text_between(data, put_member(data, member, has_info));
    publish_event(shard, roster, &event);
    free(data);
}

void home_tell_members(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    struct presence_change change;
    bool is_alone = shard->cluster == NULL; /* else one node tells backends, for all */
    while (roster->presence != NULL && presence_take_change(roster->presence, &change)) {
        if (change.has_left) {
            tell_member(shard, roster, "pusher_internal:member_removed", &change, false);
            if (is_alone) home_tell_backend(shard, roster, WEBHOOK_member_removed, change.user_id, 0);
        }
        if (change.has_joined) {
            tell_member(shard, roster, "pusher_internal:member_added", &change, true);
            if (is_alone) home_tell_backend(shard, roster, WEBHOOK_member_added, change.user_id, 0);
        }
    }
}

/* ---- counts ---- */

void home_tell_count(struct shard *shard, struct roster *roster)
{
    assert(owner_is_me(&shard->owner));
    char data[48];
    uint32_t count = (uint32_t)home_subscribers(roster);
    int bytes = snprintf(data, sizeof data, "{\"subscription_count\":%u}", count);
    if (shard_app(shard, roster->channel->name.app)->subscription_counts) {
        struct event event = {.name = text_of("pusher_internal:subscription_count"), .data = {data, (size_t)bytes}};
        publish_event(shard, roster, &event);
    }
    if (shard->cluster != NULL) return;
    home_tell_backend(shard, roster, WEBHOOK_subscription_count, (struct text){0}, count);
}

/* ---- users ---- */

void home_tell_user(struct shard *shard, struct roster *roster, bool is_online)
{
    assert(owner_is_me(&shard->owner));
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
