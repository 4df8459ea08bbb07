/* server/home/home.h - what a channel's home does: it counts subscribers and knows the members; with home_publish.h,
 * which puts messages in order, and home_event.h, which tells subscribers and backends what happens.
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
/* It has left: a member, or one whom the answer did not find. Takes over the join. */
void home_unsubscribe(struct shard *shard, uint32_t from, struct join *join);
/* Anybody else has. */
void home_leave(struct shard *shard, uint32_t from, struct roster *roster, enum form form);

/* Once a turn, before the fan-out: answers those who joined as members, all with one snapshot; tells changed counts. */
void home_settle(struct shard *shard);
/* Sets a roster's timer for what it has to do next, and: it ran out. */
void home_set_timer(struct shard *shard, struct roster *roster);
void home_timer(struct shard *shard, struct roster *roster);
/* The channel may be needed by nobody any more; then it goes, and its roster with it. */
void home_drop_if_unused(struct shard *shard, struct channel *channel);
/* The shard ends: gives up what its rosters keep. */
void home_end(struct shard *shard);
