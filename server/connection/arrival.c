/* server/connection/arrival.c - who is it, and may it begin? */
#include "server/connection/arrival.h"

#include "server/connection/connection.h"
#include "server/connection/door.h"
#include "server/connection/peer.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>

void arrival_begin(struct shard *shard, uint32_t slot, uint32_t listener)
{
    assert(owner_is_me(&shard->owner));
    struct connection *connection = &shard->connections[slot];
    connection_accepted(shard, slot, door_is_secure(shard->door, listener));
    if (!peer_ask(shard, connection, listener)) connection_arrived(shard, connection);
}

void arrival_told(struct shard *shard, struct connection *connection, int32_t result)
{
    assert(owner_is_me(&shard->owner));
    char text[IP_TEXT_MAX];
    peer_told(shard, connection, result);
    log_debug("connection %u.%u comes from %s", shard_slot(shard, connection), connection->life,
              connection_address(shard, connection, text));
    if (connection->state == CONNECTION_ARRIVING) {
        connection_arrived(shard, connection);
    } else {
        connection_operation_done(shard, connection);
    }
}
