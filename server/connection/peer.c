/* server/connection/peer.c - asking the kernel, and keeping what it says. */
#include "server/connection/peer.h"

#include "core/memory.h"
#include "net/forwarded.h"
#include "net/ring.h"
#include "server/connection/connection_state.h"
#include "server/connection/door.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdio.h>

struct peer {
    union {
        struct sockaddr_in6 asked; /* is_asked: where the kernel writes it; of IPv4 it is a struct sockaddr_in */
        struct {                   /* is_known: */
            struct ip ip;          /* the client's, */
            struct ip end;         /* and that at the other end of the socket: the same, or a proxy's */
        };
    };
    uint16_t port, end_port; /* 0: not known */
    bool is_asked : 1;
    bool is_known : 1;
    bool is_trusted : 1; /* the other end is a proxy's that is believed */
};

_Static_assert(sizeof(struct peer) == 40, "what peer.h says");

bool peer_is_wanted(const struct options *options)
{
    return peer_is_needed(options) || options->log_level == LOG_LEVEL_DEBUG;
}

bool peer_is_needed(const struct options *options)
{
    return options->trusted_proxies.count > 0;
}

enum rc peers_init(struct shard *shard)
{
    if (!shard->door->asks_peers) return RC_OK;
    shard->peers.table = memory_reserve(shard->slots_max, sizeof shard->peers.table[0]);
    return shard->peers.table != NULL ? RC_OK : RC_ENOMEM;
}

void peers_fini(struct shard *shard)
{
    memory_release(shard->peers.table, shard->slots_max, sizeof shard->peers.table[0]);
    shard->peers.table = NULL;
}

/* NULL: nobody wants to know. */
static struct peer *peer_of(const struct shard *shard, const struct connection *connection)
{
    return shard->peers.table != NULL ? &shard->peers.table[shard_slot(shard, connection)] : NULL;
}

bool peer_ask(struct shard *shard, const struct connection *connection, uint32_t listener)
{
    assert(owner_is_me(&shard->owner));
    struct peer *peer = peer_of(shard, connection);
    if (peer == NULL) return false;
    uint32_t bytes = door_address(shard->door, listener)->bytes;
    *peer = (struct peer){.is_asked = bytes <= sizeof peer->asked}; /* else it is no address of IP */
    if (peer->is_asked)
        ring_ask_peer(shard->ring, shard_slot(shard, connection), connection->life, &peer->asked, bytes);
    return peer->is_asked;
}

void peer_told(struct shard *shard, const struct connection *connection, int32_t result)
{
    assert(owner_is_me(&shard->owner));
    struct peer *peer = peer_of(shard, connection);
    assert(peer != NULL && peer->is_asked);
    struct sockaddr_in6 told = peer->asked;
    *peer = (struct peer){0};
    if (result < (int32_t)sizeof(struct sockaddr_in)) return;
    peer->is_known = ip_of_socket(&told, &peer->ip, &peer->port);
    peer->end = peer->ip;
    peer->end_port = peer->port;
    peer->is_trusted = peer->is_known && ip_networks_have(&shard->options->trusted_proxies, &peer->end);
}

bool peer_is_asked(const struct shard *shard, const struct connection *connection)
{
    const struct peer *peer = peer_of(shard, connection);
    return peer != NULL && peer->is_asked;
}

void peer_read_forwarded(struct shard *shard, const struct connection *connection, const struct http_request *request)
{
    assert(owner_is_me(&shard->owner));
    struct peer *peer = peer_of(shard, connection);
    if (peer == NULL || !peer->is_trusted) return;
    peer->ip = peer->end;
    peer->port = peer->end_port;
    if (!forwarded_for(request, &shard->options->trusted_proxies, &peer->ip, &peer->port)) return;
    char text[IP_TEXT_MAX];
    log_debug("connection %u.%u is of %s, as its proxy says", shard_slot(shard, connection), connection->life,
              ip_format(&peer->ip, peer->port, text));
}

bool peer_may_forward(const struct shard *shard, const struct connection *connection)
{
    const struct peer *peer = peer_of(shard, connection);
    return shard->options->trusted_proxies.count == 0 || (peer != NULL && peer->is_trusted);
}

const char *connection_address(const struct shard *shard, const struct connection *connection,
                               char text_r[IP_TEXT_MAX])
{
    assert(owner_is_me(&shard->owner));
    const struct peer *peer = peer_of(shard, connection);
    if (peer != NULL && peer->is_known) return ip_format(&peer->ip, peer->port, text_r);
    snprintf(text_r, IP_TEXT_MAX, "-");
    return text_r;
}
