/* server/shard/sweep.c - a queue of sweeps, whose first has its turn. */
#include "server/shard/sweep.h"

#include "server/shard/shard.h"

#include <assert.h>

static void step(struct shard *shard, struct sweep *sweep)
{
    TAILQ_REMOVE(&shard->sweeps, sweep, entry);
    if (sweep->step(shard, sweep)) {
        TAILQ_INSERT_TAIL(&shard->sweeps, sweep, entry);
    } else {
        sweep->end(shard, sweep, true);
    }
}

void sweep_begin(struct shard *shard, struct sweep *sweep)
{
    assert(owner_is_me(&shard->owner));
    bool is_alone = TAILQ_EMPTY(&shard->sweeps);
    TAILQ_INSERT_TAIL(&shard->sweeps, sweep, entry);
    if (is_alone) step(shard, sweep);
}

void sweeps_go_on(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    struct sweep *first = TAILQ_FIRST(&shard->sweeps);
    if (first != NULL) step(shard, first);
}

void sweeps_end(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    for (struct sweep *sweep; (sweep = TAILQ_FIRST(&shard->sweeps)) != NULL;) {
        TAILQ_REMOVE(&shard->sweeps, sweep, entry);
        sweep->end(shard, sweep, false);
    }
}

bool sweeps_wait(const struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    return !TAILQ_EMPTY(&shard->sweeps);
}
