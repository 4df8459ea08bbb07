/* server/shard/sweep_list.h - the sweeps of a shard (server/shard/sweep.h). */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>

struct shard;

struct sweep {
    TAILQ_ENTRY(sweep) entry;
    /* Does a piece of it, of bounded length. True: there is more. */
    bool (*step)(struct shard *shard, struct sweep *sweep);
    /* It is over, or, not whole, the server ends. */
    void (*end)(struct shard *shard, struct sweep *sweep, bool is_whole);
};

TAILQ_HEAD(sweep_list, sweep);
