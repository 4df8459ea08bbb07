/* server/cluster/cluster_senders.h - of each node that publishes in a channel, the last message of it that was handed
 * out.
 *
 * A publish whose answer was lost is repeated; when Redis has lost the history meanwhile, it is there twice, under two
 * numbers. But a node's counters only grow within a channel, so what is not higher was there before.
 * Memory: 24 bytes for each node that has published in the last SENDER_FORGOTTEN_S. Threads: one. */
#pragma once

#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

#define SENDER_FORGOTTEN_S 600

struct cluster_sender;

struct cluster_senders {
    struct cluster_sender *items; /* whoever was last stands first */
    uint16_t count;
    uint16_t capacity;
};

/* Is this message one that was not there yet? Then it is noted. Without the memory to note it: yes. */
bool cluster_senders_take(struct cluster_senders *senders, uint64_t node, uint64_t counter, uint32_t now_s);
void cluster_senders_fini(struct cluster_senders *senders);
