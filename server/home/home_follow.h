/* server/home/home_follow.h - a home's steps of what an operator follows (server/shard/follow.h).
 *
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"

#include <stdint.h>

struct channel;
struct join;
struct message;
struct roster;
struct shard;

/* Each of these tells nothing, and costs a look at a pointer, while its channel is not followed. */

/* A message has come to be put in order. */
void home_follow_published(struct shard *shard, const struct message *message);
/* It is not: it could not be kept, or its key was there before (RC_PENDING). */
void home_follow_refused(struct shard *shard, const struct message *message, enum rc rc);
/* It has its place, and goes to its readers. `channel`: NULL if nobody uses it. */
void home_follow_ordered(struct shard *shard, const struct channel *channel, const struct message *message);
/* Somebody on that shard asked to come in; RC_OK: and did. */
void home_follow_came(struct shard *shard, const struct join *join);
/* Somebody has left. */
void home_follow_left(struct shard *shard, const struct roster *roster, uint32_t from);
