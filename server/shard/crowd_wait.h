/* server/shard/crowd_wait.h - who waits while outboxes that take long are behind, as a shard keeps it
 * (server/shard/crowd.h). */
#pragma once

#include <stdint.h>

#define CROWD_OVERLOAD_MS 1000

enum crowd_wait {
    CROWD_WAIT_NOBODY,
    CROWD_WAIT_CROWDS, /* who publishes to a crowd */
    CROWD_WAIT_ALL,    /* who publishes */
};

/* Of all shards: how many are behind so far. Atomic. */
struct crowds_behind {
    uint32_t late; /* make those wait who publish to crowds, */
    uint32_t full; /* and these whoever publishes */
};
