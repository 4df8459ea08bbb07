/* server/home/home.h - what a channel's home does: it counts subscribers and knows the members; with home_publish.h,
 * which puts messages in order, home_query.h, which answers, home_event.h, which tells subscribers what happens, and
 * home_hook.h, which tells backends.
 *
 * Threads: the home shard. Each function is the taking side of a letter (core/letter.def), and is called directly where
 *          the asking shard is the home itself. */
#pragma once

#include "core/form.h"
#include "core/rc.h"

#include <stdint.h>

struct channel;
struct join;
struct roster;
struct shard;
struct text;

/* A connection of shard `from` wants in. Takes over the join; the answer goes back, now or at the end of the turn. */
void home_subscribe(struct shard *shard, uint32_t from, struct join *join);
/* A member has left, or one whom the answer did not find. Takes over the join. */
void home_unsubscribe(struct shard *shard, uint32_t from, struct join *join);
/* A subscriber that is no member has left. */
void home_leave(struct shard *shard, uint32_t from, struct roster *roster, enum form form);

/* Once a turn, before the fan-out: answers those who joined as members, all with one snapshot; tells changed counts. */
void home_settle(struct shard *shard);
/* A roster's timer ran out. */
void home_timer(struct shard *shard, struct roster *roster);
/* The shard ends: gives up what its rosters keep. */
void home_end(struct shard *shard);
