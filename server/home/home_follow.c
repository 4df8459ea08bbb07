/* server/home/home_follow.c - steps at a home, as members of JSON objects. */
#include "server/home/home_follow.h"

#include "core/channel.h"
#include "core/join.h"
#include "core/json_text.h"
#include "core/message.h"
#include "core/roster.h"
#include "server/protocol/socket_id.h"
#include "server/shard/follow.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdio.h>

#define EVENT_BYTES_MAX 200 /* longer names are not told */
#define USER_BYTES_MAX  128

static const char *origin_name(enum message_origin origin)
{
    switch (origin) {
    case ORIGIN_SERVER:
        return "the server";
    case ORIGIN_BACKEND:
        return "a backend";
    case ORIGIN_ROOM:
        return "a client of the room";
    case ORIGIN_CLIENT:
        return "a client";
    case ORIGIN_GUEST:
        return "a guest";
    }
    __builtin_unreachable();
}

/* The largest of its frames. */
static uint32_t bytes_of(const struct message *message)
{
    uint32_t bytes = 0;
    for (enum form form = 0; form < FORMS_MAX; form++)
        if (message->frame_bytes[form] > bytes) bytes = message->frame_bytes[form];
    return bytes;
}

void home_follow_published(struct shard *shard, const struct message *message)
{
    assert(owner_is_me(&shard->owner));
    if (!follow_is_on(shard, &message->channel)) return;
    const struct publisher *publisher = &message->publisher;
    char socket[20 + SOCKET_ID_BYTES_MAX] = "", event[20 + EVENT_BYTES_MAX] = "", id[SOCKET_ID_BYTES_MAX];
    if (message->origin == ORIGIN_ROOM || message->origin == ORIGIN_CLIENT) {
        socket_id_write(id, publisher->random, publisher->shard, publisher->slot, publisher->life);
        snprintf(socket, sizeof socket, ",\"socket\":\"%s\"", id);
    }
    if (message->event_name.bytes > 2 && message->event_name.bytes < EVENT_BYTES_MAX) { /* in its quotes */
        struct text name = message_part_text(message, message->event_name);
        snprintf(event, sizeof event, ",\"event\":%.*s", (int)name.count, name.at);
    }
    follow_tell(shard, "\"step\":\"published\",\"by\":\"%s\"%s%s,\"bytes\":%u", origin_name(message->origin), socket,
                event, bytes_of(message));
}

void home_follow_refused(struct shard *shard, const struct message *message, enum rc rc)
{
    assert(owner_is_me(&shard->owner));
    if (!follow_is_on(shard, &message->channel)) return;
    const char *why = rc == RC_PENDING    ? "it was published before, with the same key"
                      : rc == RC_ENOMEM   ? "there is no memory"
                      : rc == RC_EFULL    ? "too much waits to be kept"
                      : rc == RC_ECLUSTER ? "the cluster cannot be reached"
                                          : "the store cannot be used";
    follow_tell(shard, "\"step\":\"refused\",\"because\":\"%s\"", why);
}

void home_follow_ordered(struct shard *shard, const struct channel *channel, const struct message *message)
{
    assert(owner_is_me(&shard->owner));
    if (!follow_is_on(shard, &message->channel)) return;
    if (channel == NULL) {
        follow_tell(shard, "\"step\":\"ordered\",\"subscribers\":0,\"because\":\"nobody is in the channel\"");
        return;
    }
    const struct roster *roster = channel->roster;
    uint32_t shards = 0;
    for (uint32_t i = 0; i < roster->interests_count; i++)
        if (interest_wants(&roster->interests[i], message)) shards++;
    bool is_kept = message->offset > 0;
    follow_tell(shard, "\"step\":\"ordered\",\"kept\":\"%s\",\"offset\":%llu,\"subscribers\":%u,\"to_shards\":%u",
                !is_kept                ? "no"
                : roster->rule->durable ? "in the store"
                                        : "in memory",
                (unsigned long long)message->offset, roster_subscribers(roster), shards);
}

void home_follow_came(struct shard *shard, const struct join *join)
{
    assert(owner_is_me(&shard->owner));
    if (!follow_is_on(shard, &join->channel)) return;
    char user[6 * USER_BYTES_MAX + 20] = "", *to = user;
    if (join->user_id.at != NULL && join->user_id.count <= USER_BYTES_MAX) {
        to = text_put(to, text_of(",\"user\":\""));
        to = json_text_write(to, join->user_id);
        to = text_put(to, text_of("\""));
    }
    *to = '\0';
    follow_tell(shard, "\"step\":\"%s\",\"on_shard\":%u%s", join->rc == RC_OK ? "subscribed" : "not let in",
                join->from, user);
}

void home_follow_left(struct shard *shard, const struct roster *roster, uint32_t from)
{
    assert(owner_is_me(&shard->owner));
    if (!follow_is_on(shard, &roster->channel->name)) return;
    follow_tell(shard, "\"step\":\"left\",\"on_shard\":%u,\"subscribers\":%u", from, roster_subscribers(roster));
}
