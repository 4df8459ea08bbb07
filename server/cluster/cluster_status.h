/* server/cluster/cluster_status.h - what the cluster's thread tells operators of itself, beside what it counts. A plain
 * value; times are monotonic. */
#pragma once

#include "server/cluster/cluster_lease.h"
#include "server/cluster/redis_server.h"
#include "server/config/redis_url.h"

#include <stdint.h>

struct cluster_status {
    char address[REDIS_PLACE_TEXT_MAX]; /* of the server that was connected last; "": none was */
    char version[REDIS_VERSION_BYTES];  /* as server/cluster/redis_server.h has it */
    uint64_t generation;                /* 0: none was agreed on yet */
    uint64_t connected_ms;              /* since when; 0: it is not */
    uint64_t oldest_ms;                 /* when what waits for Redis longest was asked; 0: nothing waits */
    char lease[LEASE_NODE_BYTES + 1];   /* the name under which this node has its lease */
    uint32_t nodes;                     /* how many leases ran when it was renewed, its own among them; 0: none did */
};
