/* server/home/home_hook.h - what a channel's home tells backends, as webhooks.
 *
 * Each goes into a queue (server/webhook/webhook.h); one for which that has no room is counted.
 * Threads: the home shard. */
#pragma once

#include "core/text.h"
#include "server/webhook/webhook.h"

#include <stdbool.h>
#include <stdint.h>

struct message;
struct position;
struct roster;
struct shard;

/* Tells of something in the roster's channel, unless it is a user's. user_id may be empty. */
void home_tell_backend(struct shard *shard, const struct roster *roster, enum webhook_kind kind, struct text user_id,
                       uint32_t count);
/* Tells of what this node alone tells for all nodes, in an app of that id, if there is one. */
void home_tell_news(struct shard *shard, struct text app, struct webhook_event *event);
/* The first subscriber came, the last one left. */
void home_tell_occupied(struct shard *shard, const struct roster *roster, bool is_occupied);
/* Somebody came to a cache channel that keeps nothing: once until it does. */
void home_tell_miss(struct shard *shard, struct roster *roster);
/* A client's event goes to its readers. */
void home_tell_client_event(struct shard *shard, const struct message *message);
/* A message of a room has this place in its channel's history. */
void home_tell_room_message(struct shard *shard, const struct message *message, const struct position *position);
