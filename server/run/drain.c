/* server/run/drain.c - closing all connections without keeping any of them waiting for the others. */
#include "server/run/drain.h"

#include "server/connection/accept.h"
#include "server/connection/connection.h"
#include "server/connection/deadline.h"
#include "server/connection/door.h"
#include "server/shard/shard.h"

#include <assert.h>

#define SLICE          512 /* connections told in one turn */
#define OTHERS_WAIT_MS 20  /* how often to look whether the other shards are done */

static void tell(struct shard *shard, struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_TLS:
    case CONNECTION_REQUEST:
        deadline_at_stop(shard, connection);
        break;
    case CONNECTION_ARRIVING: /* has its time when it begins */
    case CONNECTION_JOINING:  /* they are answered first, */
    case CONNECTION_ANSWERING:
        break; /* for the last time */
    default:
        connection_close(shard, connection, shard_drain_reason(shard));
        break;
    }
}

bool drain_go_on(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    if (!shard->is_draining) {
        shard->is_draining = true;
        shard->drain.until_ms = shard->now_ms + shard->options->drain_ms_max;
        accept_stop(shard);
    }
    accept_start(shard);
    for (uint32_t told = 0; shard->drain.slot < shard->slots_used && told < SLICE; shard->drain.slot++) {
        struct connection *connection = &shard->connections[shard->drain.slot];
        if (connection->state == CONNECTION_FREE) continue;
        tell(shard, connection);
        told++;
    }
    /* A shard without connections stays for the letters of the others. */
    bool is_done = doors_connections_open(shard->doors) == 0 && accept_has_stopped(shard);
    return !is_done && shard->now_ms < shard->drain.until_ms;
}

uint64_t drain_sleep_ms(const struct shard *shard)
{
    return shard->drain.slot < shard->slots_used ? 0 : OTHERS_WAIT_MS;
}
