/* server/home/home_event.h - what a channel's home tells of it by itself: to subscribers as events,
 * to backends as webhooks.
 *
 * Without memory for one of these the log says so, and the server goes on. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

struct join;
struct message;
struct roster;
struct shard;

/* What a new subscriber of FORM_EVENT is told: that it is one, the members of a presence channel, the kept event of a
 * cache channel or that there is none. One that asks for its position is told that, and what it missed
 * (join->is_recovered: all of it). A user's channel has no greeting. RC_ENOMEM; NULL in *greeting_r: nothing. */
enum rc home_greeting(struct shard *shard, struct roster *roster, struct join *join, struct message **greeting_r);

/* The members who came and went since this was called last: none of those who came back meanwhile. */
void home_tell_members(struct shard *shard, struct roster *roster);
/* The first subscriber came, the last one left. */
void home_tell_occupied(struct shard *shard, const struct roster *roster, bool is_occupied);
/* How many subscribers there are now. */
void home_tell_count(struct shard *shard, struct roster *roster);
/* Somebody came to a cache channel that keeps nothing: once until it does. */
void home_tell_miss(struct shard *shard, struct roster *roster);
/* A client's event goes to its readers. */
void home_tell_client_event(struct shard *shard, const struct message *message);
/* A message of a room has its place in the history of this epoch. */
void home_tell_room_message(struct shard *shard, const struct message *message, const char *epoch);
/* A user's first connection signed in, the last one left: to those who watch. */
void home_tell_user(struct shard *shard, struct roster *roster, bool is_online);
