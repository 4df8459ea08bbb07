/* server/connection/reading.c - starting and stopping receives. */
#include "server/connection/reading.h"

#include "net/ring.h"
#include "server/connection/component.h"
#include "server/connection/connection_state.h"
#include "server/connection/throttle.h"
#include "server/shard/shard.h"

#include <assert.h>

/* Whoever may have to be stopped for what it says is read a buffer at a time: what lies in its socket stays there. */
static bool is_read_by_pieces(const struct shard *shard, const struct connection *connection)
{
    const struct component *component = connection->component; /* NULL: not known yet */
    return throttle_is_on(shard->options) && (component == NULL || component->is_throttled);
}

void reading_start(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(!connection->is_receiving && !connection_is_gone(connection));
    uint32_t slot = shard_slot(shard, connection);
    connection->is_receiving = true;
    if (is_read_by_pieces(shard, connection)) {
        ring_receive_once(shard->ring, slot, connection->life);
    } else {
        ring_receive(shard->ring, slot, connection->life);
    }
}

void reading_go_on(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection_is_gone(connection) || !connection_is_read(connection)) return;
    if (!connection->is_receiving && !connection->has_ended) reading_start(shard, connection);
}

void reading_later(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection->is_starved) return;
    connection->is_starved = true;
    slot_list_add(&shard->receive.starved, shard_slot(shard, connection));
}

void reading_pause(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection->is_paused || connection->state != CONNECTION_OPEN) return;
    connection->is_paused = true;
    slot_list_add(&shard->receive.paused, shard_slot(shard, connection));
    counter_add(&shard->counters, COUNTER_receives_paused, 1);
    if (connection->is_receiving) ring_cancel_receive(shard->ring, shard_slot(shard, connection), connection->life);
}

void reading_choke(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection->is_choked) return;
    connection->is_choked = true;
    if (connection->is_receiving) ring_cancel_receive(shard->ring, shard_slot(shard, connection), connection->life);
}

void reading_unchoke(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (!connection->is_choked || connection_is_gone(connection)) return;
    connection->is_choked = false;
    reading_go_on(shard, connection);
}
