/* server/home/home_greeting.h - what a new subscriber is told first.
 *
 * Threads: the home shard. */
#pragma once

#include "core/rc.h"

struct join;
struct message;
struct roster;
struct shard;

/* What a new subscriber of FORM_EVENT is told: that it is one, the members of a presence channel, the kept event of a
 * cache channel or that there is none. One that asks for its position is told that, and what it missed
 * (join->is_recovered: all of it). A user's channel has no greeting. RC_ENOMEM; NULL in *greeting_r: nothing. */
enum rc home_greeting(struct shard *shard, struct roster *roster, struct join *join, struct message **greeting_r);
