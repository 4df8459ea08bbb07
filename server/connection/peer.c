/* server/connection/peer.c - asking the kernel, and keeping what it says. */
#include "server/connection/peer.h"

#include "core/memory.h"
#include "net/forwarded.h"
#include "net/proxy_header.h"
#include "net/ring.h"
#include "server/connection/address_limits.h"
#include "server/connection/connection_state.h"
#include "server/connection/door.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdio.h>

bool peer_is_wanted(const struct options *options)
{
    bool is_told = options->log_connections > 0 || options->log_level == LOG_LEVEL_DEBUG;
    return peer_is_needed(options) || options->proxy_protocol || is_told;
}

bool peer_is_needed(const struct options *options)
{
    bool rests_on_kernel = address_limits_are_on(options) && !options->proxy_protocol;
    return rests_on_kernel || options->trusted_proxies.count > 0;
}

enum rc peers_init(struct shard *shard)
{
    const struct door *door = shard->door;
    if (!door->asks_peers && !door->has_proxy_header && !door->wants_peers) return RC_OK;
    shard->peers.table = memory_reserve(shard->slots_max, sizeof shard->peers.table[0]);
    return shard->peers.table != NULL ? RC_OK : RC_ENOMEM;
}

void peers_fini(struct shard *shard)
{
    memory_release(shard->peers.table, shard->slots_max, sizeof shard->peers.table[0]);
    shard->peers.table = NULL;
}

struct peer *peer_of(const struct shard *shard, const struct connection *connection)
{
    return shard->peers.table != NULL ? &shard->peers.table[shard_slot(shard, connection)] : NULL;
}

bool peer_ask(struct shard *shard, const struct connection *connection, uint32_t listener)
{
    assert(owner_is_me(&shard->owner));
    struct peer *peer = peer_of(shard, connection);
    if (peer == NULL || shard->door->wants_peers) return false;
    uint32_t bytes = door_address(shard->door, listener)->bytes;
    bool is_ip = bytes <= sizeof peer->asked;
    *peer = (struct peer){.is_asked = shard->door->asks_peers && is_ip};
    if (peer->is_asked)
        ring_ask_peer(shard->ring, shard_slot(shard, connection), connection->life, &peer->asked, bytes);
    return peer->is_asked;
}

static void come_from(const struct shard *shard, struct peer *peer, const struct ip *ip, uint16_t port)
{
    peer->is_known = true;
    peer->ip = peer->end = *ip;
    peer->port = peer->end_port = port;
    peer->is_trusted = ip_networks_have(&shard->options->trusted_proxies, ip);
}

/* As far as the listener says it. */
static enum peer_origin origin_by_listener(const struct address *address)
{
    if (address_path(address) != NULL) return PEER_SOCKET;
    return address_is_loopback(address) ? PEER_MACHINE : PEER_ELSEWHERE;
}

void peer_came(struct shard *shard, uint32_t slot, uint32_t listener, const struct sockaddr_storage *from)
{
    assert(owner_is_me(&shard->owner) && shard->door->wants_peers);
    struct peer *peer = &shard->peers.table[slot];
    const struct address address = {.storage = *from};
    struct ip ip;
    uint16_t port;
    *peer = (struct peer){.origin = origin_by_listener(door_address(shard->door, listener))};
    if (peer->origin == PEER_SOCKET || !ip_of_socket(from, &ip, &port)) return;
    come_from(shard, peer, &ip, port);
    peer->is_by_proxy = peer->is_trusted;
    if (address_is_loopback(&address)) peer->origin = PEER_MACHINE;
}

enum peer_origin peer_origin(const struct shard *shard, const struct connection *connection)
{
    assert(owner_is_me(&shard->owner) && shard->door->wants_peers);
    return peer_of(shard, connection)->origin;
}

void peer_told(struct shard *shard, const struct connection *connection, int32_t result)
{
    assert(owner_is_me(&shard->owner));
    struct peer *peer = peer_of(shard, connection);
    assert(peer != NULL && peer->is_asked);
    struct sockaddr_in6 told = peer->asked;
    *peer = (struct peer){0};
    struct ip ip;
    uint16_t port;
    bool is_told = result >= (int32_t)sizeof(struct sockaddr_in);
    if (!is_told || !ip_of_socket(&told, &ip, &port)) return;
    come_from(shard, peer, &ip, port);
    peer->is_by_proxy = peer->is_trusted;
}

void peer_proxied(struct shard *shard, const struct connection *connection, const struct proxy_header *header)
{
    assert(owner_is_me(&shard->owner));
    struct peer *peer = peer_of(shard, connection);
    peer->has_header = true;
    peer->header_left = header->rest;
    peer->says_tls = header->says_tls;
    peer->has_tls = header->has_tls;
    if (header->has_address) come_from(shard, peer, &header->ip, header->port);
}

bool peer_may_proxy(const struct shard *shard, const struct connection *connection)
{
    return shard->options->trusted_proxies.count == 0 || peer_of(shard, connection)->is_by_proxy;
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

bool peer_has_tls(const struct shard *shard, const struct connection *connection)
{
    const struct peer *peer = peer_of(shard, connection);
    return peer != NULL && peer->has_tls;
}

bool peer_may_forward(const struct shard *shard, const struct connection *connection)
{
    const struct peer *peer = peer_of(shard, connection);
    if (peer != NULL && (peer->is_trusted || peer->says_tls)) return peer->is_trusted;
    return shard->options->trusted_proxies.count == 0 || (peer != NULL && peer->is_by_proxy);
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
