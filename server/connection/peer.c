/* server/connection/peer.c - asking the kernel, and keeping what it says. */
#include "server/connection/peer.h"

#include "core/memory.h"
#include "net/ring.h"
#include "server/connection/connection_state.h"
#include "server/connection/door.h"
#include "server/shard/shard.h"

#include <assert.h>
#include <stdio.h>

struct peer {
    union {
        struct sockaddr_in6 asked; /* is_asked: where the kernel writes it; of IPv4 it is a struct sockaddr_in */
        struct ip ip;              /* is_known */
    };
    uint16_t port; /* 0: not known */
    bool is_asked : 1;
    bool is_known : 1;
};

_Static_assert(sizeof(struct peer) == 32, "two to a cache line");

bool peer_is_wanted(const struct options *options)
{
    return options->log_level == LOG_LEVEL_DEBUG;
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
    if (result >= (int32_t)sizeof(struct sockaddr_in)) peer->is_known = ip_of_socket(&told, &peer->ip, &peer->port);
}

bool peer_is_asked(const struct shard *shard, const struct connection *connection)
{
    const struct peer *peer = peer_of(shard, connection);
    return peer != NULL && peer->is_asked;
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
