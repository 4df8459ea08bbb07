/* server/connection/secure_handshake.c - who waits for a handshake to be computed, and whose time that is. */
#include "server/connection/secure_handshake.h"

#include "core/bytes.h"
#include "core/span.h"
#include "server/connection/connection.h"
#include "server/connection/deadline.h"
#include "server/connection/reading.h"
#include "server/shard/shard.h"

#include <assert.h>

/* Stops a handshake's clock, which stands while what its client has sent waits for us. */
static void stop_clock(struct shard *shard, struct connection *connection)
{
    uint64_t until_ms = connection->handshake_ms;
    timer_clear(&shard->timers, &connection->timer);
    connection->handshake_ms = until_ms > shard->now_ms ? until_ms - shard->now_ms : 0;
}

/* Lets a handshake's clock go on: we wait for its client again. */
static void start_clock(struct shard *shard, struct connection *connection)
{
    connection->handshake_ms += shard->now_ms;
    if (shard->is_stopping) {
        deadline_of_request(shard, connection); /* less, then */
    } else {
        timer_set(&shard->timers, &connection->timer, connection->handshake_ms);
    }
}

void secure_queue_handshake(struct shard *shard, struct connection *connection, const struct bytes *in)
{
    assert(owner_is_me(&shard->owner));
    if (span_append(&connection->held, in->at, (uint32_t)in->count) != RC_OK) {
        connection_finish(shard, connection, CLOSE_NO_MEMORY);
        return;
    }
    /* A client may send much behind its last flight of the handshake: the rest waits in its socket. */
    if (connection->held->count > shard->options->head_bytes_max) reading_choke(shard, connection);
    if (connection->is_shaking) return;
    connection->is_shaking = true;
    stop_clock(shard, connection);
    slot_queue_add(connection->tls != NULL ? &shard->tls.shaking : &shard->tls.hellos, shard_slot(shard, connection));
}

void secure_await_handshake(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    start_clock(shard, connection);
    reading_unchoke(shard, connection);
}
