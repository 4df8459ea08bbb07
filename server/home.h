/* server/home.h - what a channel's home does: it counts subscribers, puts messages in order, knows the members, keeps
 * the last event, and tells backends what happens.
 *
 * Threads: the home shard. Each function is the taking side of a letter (core/letter.def), and is called directly where
 *          the asking shard is the home itself. */
#pragma once

#include "core/form.h"
#include "core/rc.h"

#include <stdint.h>

struct join;
struct message;
struct roster;
struct shard;
struct text;

/* A connection of shard `from` wants in. Takes over the join; the answer goes back, now or at the end of the turn. */
void home_subscribe(struct shard *shard, uint32_t from, struct join *join);
/* It has left: a member, or one whom the answer did not find. Takes over the join. */
void home_unsubscribe(struct shard *shard, uint32_t from, struct join *join);
/* Anybody else has. */
void home_leave(struct shard *shard, uint32_t from, struct roster *roster, enum form form);

/* Gives the message its place and hands it to every shard with readers. Takes over a reference. RC_PENDING: it is on
 * its way, but mailboxes are full. */
enum rc home_publish(struct shard *shard, struct message *message);

/* Closes all who are signed in as the user of this channel. Takes over a reference. */
void home_terminate(struct shard *shard, struct message *message);

/* Once a turn, before the fan-out: answers those who joined as members, all with one snapshot; tells changed counts. */
void home_settle(struct shard *shard);
/* A roster's timer ran out. */
void home_timer(struct shard *shard, struct roster *roster);
/* The shard ends: gives up what its rosters keep. */
void home_end(struct shard *shard);
