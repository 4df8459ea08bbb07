/* server/connection/door.h - who is let in where, and how many of them.
 *
 * Threads:   the main thread makes doors; shards read what does not change, and the atomics. */
#pragma once

#include "server/config/option_value.h"

#include <ck_pr.h>
#include <stdbool.h>
#include <stdint.h>

struct address_limits;
struct bytes;
struct connection;
struct shard;

struct door {
    const struct address_list *addresses;
    const struct address_list *tls_addresses; /* listeners stand behind those of `addresses`; NULL: none */
    int *claims;                              /* the first socket of each address, until a shard has it; then -1 */
    bool wants_peers;   /* of each accept, with any kernel (server/connection/peer.h) */
    uint32_t slots_max; /* of each shard behind it */
    uint64_t connections_max;
    bool asks_peers;               /* who is at the other end: somebody wants to know, and the kernel tells */
    bool has_proxy_header;         /* each connection begins with a header of the PROXY protocol */
    struct address_limits *limits; /* of clients' addresses, shared by the shards behind it; NULL: none */
    /* Where it leads. Eats from `in` and answers a request that is complete; true: there may be more to do with what is
     * left. */
    bool (*serve)(struct shard *shard, struct connection *connection, struct bytes *in);
    /* Refuses what cannot be served, with a sentence of cause and cure, and ends the connection: what begins in `in`,
     * from which it eats; NULL: what has come. */
    void (*refuse)(struct shard *shard, struct connection *connection, struct bytes *in, unsigned status,
                   const char *sentence);
    /* Atomic, over the shards behind it; changed at accept and close only, on lines of its own. */
    _Alignas(128) uint64_t connections_open;
};

static inline uint32_t door_addresses_count(const struct door *door)
{
    return door->addresses->count + (door->tls_addresses != NULL ? door->tls_addresses->count : 0);
}

/* Does the listener speak TLS? */
static inline bool door_is_secure(const struct door *door, uint32_t listener)
{
    return listener >= door->addresses->count;
}

static inline const struct address *door_address(const struct door *door, uint32_t index)
{
    return door_is_secure(door, index) ? &door->tls_addresses->items[index - door->addresses->count]
                                       : &door->addresses->items[index];
}

struct doors {
    struct door public;
    struct door control; /* without addresses: nobody comes in there */
};

/* Over both. Any thread. */
static inline uint64_t doors_connections_open(const struct doors *doors)
{
    return ck_pr_load_64(&doors->public.connections_open) + ck_pr_load_64(&doors->control.connections_open);
}
