/* server/cluster/redis_greeting.h - what a connection to Redis begins with: who we are, which database, what it is.
 *
 * Threads: one. No memory of its own. */
#pragma once

#include "core/rc.h"
#include "server/cluster/redis_end.h"
#include "server/cluster/redis_server.h"
#include "server/cluster/redis_target.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis_out;

enum redis_greeting_step {
    REDIS_GREETING_AUTH,
    REDIS_GREETING_NAME,
    REDIS_GREETING_DATABASE,
    REDIS_GREETING_INFO,
    REDIS_GREETING_STEPS
};

/* Which commands were sent, and how many of them are answered. */
struct redis_greeting {
    enum redis_greeting_step steps[REDIS_GREETING_STEPS];
    uint8_t count, answered;
    bool is_sentinel, takes_replica;
};

/* Adds the commands. RC_OK, RC_ENOMEM. */
enum rc redis_greeting_begin(struct redis_greeting *greeting, const struct redis_target *target,
                             struct redis_out *out);
static inline bool redis_greeting_is_over(const struct redis_greeting *greeting)
{
    return greeting->answered == greeting->count;
}
/* The answer to the next of them. NONE: go on; the answer to INFO is in *server_r. Else what is wrong, and what Redis
 * said to it, or "". */
enum redis_end redis_greeting_take(struct redis_greeting *greeting, const redisReply *reply,
                                   struct redis_server *server_r, char *detail_r, size_t detail_size);
