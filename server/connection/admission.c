/* server/connection/admission.c - who is counted, and what is a handshake that has failed. */
#include "server/connection/admission.h"

#include "server/connection/address_limits.h"
#include "server/connection/connection_state.h"
#include "server/connection/door.h"
#include "server/connection/peer.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>

/* On the one clock of all shards: each leaves out of its own what it stood still. */
static uint64_t clock_ms(const struct shard *shard)
{
    return shard->now_ms + shard->lost_ms;
}

static bool is_limited(const struct shard *shard, const struct peer *peer)
{
    return shard->door->limits != NULL && peer != NULL && peer->is_known &&
           !ip_networks_have(&shard->options->address_allow, &peer->ip) &&
           !ip_networks_have(&shard->options->trusted_proxies, &peer->ip);
}

enum close_reason admission_begin(struct shard *shard, const struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    struct peer *peer = peer_of(shard, connection);
    if (!is_limited(shard, peer) || peer->is_counted) return CLOSE_NONE;
    enum close_reason reason = address_limits_enter(shard->door->limits, shard->options, &peer->ip, clock_ms(shard));
    char text[IP_TEXT_MAX];
    peer->is_counted = reason == CLOSE_NONE;
    if (reason != CLOSE_NONE)
        log_warn("a connection from %s is refused: %s", connection_address(shard, connection, text),
                 close_reason_text(reason));
    return reason;
}

/* Did it end before it had come to anything, for a fault of the client's? */
static bool has_failed(enum close_reason reason)
{
    switch (reason) {
    case CLOSE_HTTP_REFUSED:
    case CLOSE_HANDSHAKE_TIMEOUT:
    case CLOSE_TLS_BROKEN:
    case CLOSE_TLS_ALERT:
    case CLOSE_NOT_TLS:
    case CLOSE_TLS_HERE:
    case CLOSE_TLS_ONLY:
    case CLOSE_NO_APP:
    case CLOSE_NO_PATH:
    case CLOSE_BAD_VERSION:
    case CLOSE_UNKNOWN_VERSION:
    case CLOSE_UNAUTHORIZED:
    case CLOSE_STRANGER:
    case CLOSE_FOREIGN_ORIGIN:
        return true;
    default:
        return false;
    }
}

void admission_end(struct shard *shard, const struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    struct peer *peer = peer_of(shard, connection);
    bool is_failure = has_failed(connection->reason) && is_limited(shard, peer);
    if (is_failure) address_limits_fail(shard->door->limits, shard->options, &peer->ip, clock_ms(shard));
    if (peer == NULL || !peer->is_counted) return;
    address_limits_leave(shard->door->limits, &peer->ip, clock_ms(shard));
    peer->is_counted = false;
}
