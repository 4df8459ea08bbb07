/* server/drain.c - closing all connections without keeping any of them waiting for the others. */
#include "server/drain.h"

#include "server/accept.h"
#include "server/connection.h"
#include "server/server.h"
#include "server/shard.h"

#define SLICE          512 /* connections told in one turn */
#define OTHERS_WAIT_MS 20  /* how often to look whether the other shards are done */

bool drain_go_on(struct shard *shard)
{
    if (!shard->is_draining) {
        shard->is_draining = true;
        shard->drain_until_ms = shard->now_ms + shard->options->drain_ms_max;
        accept_stop(shard);
    }
    enum close_reason reason = shard->options->drain_reconnect ? CLOSE_SERVER_MOVED : CLOSE_SERVER_STOP;
    for (uint32_t told = 0; shard->drain_slot < shard->slots_used && told < SLICE; shard->drain_slot++) {
        struct connection *connection = &shard->connections[shard->drain_slot];
        if (connection->state == CONNECTION_FREE) continue;
        connection_close(shard, connection, reason);
        told++;
    }
    /* A shard without connections stays for the letters of the others. */
    bool is_done = server_connections_open(shard->server) == 0 && accept_has_stopped(shard);
    return !is_done && shard->now_ms < shard->drain_until_ms;
}

uint64_t drain_sleep_ms(const struct shard *shard)
{
    return shard->drain_slot < shard->slots_used ? 0 : OTHERS_WAIT_MS;
}
