/* server/connection/connection_state.c - names of the states, for the log; what has come in part, and gone in part. */
#include "server/connection/connection_state.h"

#include "core/span.h"
#include "net/http.h"

#include <assert.h>

const char *connection_state_name(enum connection_state state)
{
    static const char *const names[CONNECTION_STATES_MAX] = {
        [CONNECTION_FREE] = "FREE",           [CONNECTION_ARRIVING] = "ARRIVING",   [CONNECTION_TLS] = "TLS",
        [CONNECTION_REQUEST] = "REQUEST",     [CONNECTION_ANSWERING] = "ANSWERING", [CONNECTION_JOINING] = "JOINING",
        [CONNECTION_OPEN] = "OPEN",           [CONNECTION_SETTLING] = "SETTLING",   [CONNECTION_CLOSING] = "CLOSING",
        [CONNECTION_LINGERING] = "LINGERING", [CONNECTION_REAPING] = "DRAINING",
    };
    assert(state < CONNECTION_STATES_MAX);
    return names[state];
}

bool connection_has_unsent(const struct connection *connection)
{
    return connection->unsent != NULL && connection->unsent->count > connection->unsent_at;
}

bool connection_is_blocked(const struct shard *shard, const struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    bool is_blocked = shard->outboxes[shard_slot(shard, connection)].marks & OUTBOX_BLOCKED;
    return is_blocked || connection_has_unsent(connection);
}

bool connection_has_begun_request(const struct connection *connection)
{
    return connection->http != NULL && !http_reader_is_fresh(connection->http);
}
