/* server/home/home_event.h - what a channel's home tells subscribers of it by itself, as events; backends hear of
 * members and counts too, as webhooks (server/home/home_hook.h).
 *
 * Without memory for one of these the log says so, and the server goes on. */
#pragma once

#include <stdbool.h>

struct roster;
struct shard;

/* The members who came and went since this was called last: none of those who came back meanwhile. */
void home_tell_members(struct shard *shard, struct roster *roster);
/* How many subscribers there are now. */
void home_tell_count(struct shard *shard, struct roster *roster);
/* A user's first connection signed in, the last one left: to those who watch. */
void home_tell_user(struct shard *shard, struct roster *roster, bool is_online);
