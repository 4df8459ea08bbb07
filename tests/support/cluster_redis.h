/* tests/support/cluster_redis.h - a Redis server of a test's own, on a unix socket in a folder of its own; it ends with
 * the test's process. */
#pragma once

#include "server/config/redis_url.h"

#include <sys/types.h>

struct cluster_redis {
    pid_t pid;       /* 0: it does not run */
    char folder[64]; /* removed by cluster_redis_stop() */
    struct redis_place place;
};

/* Is there a program redis-server, or the one that REDIS_SERVER in the environment names? */
bool cluster_redis_is_there(void);
/* Starts it, empty, and waits until it answers; aborts if it does not. The folder is made the first time. */
void cluster_redis_start(struct cluster_redis *redis);
void cluster_redis_kill(struct cluster_redis *redis);
void cluster_redis_stop(struct cluster_redis *redis);
/* A command of these words, in blanks; aborts if Redis refuses it. */
void cluster_redis_say(const struct cluster_redis *redis, const char *command);
