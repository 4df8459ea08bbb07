/* server/cluster/cluster_channels_state.h - the table and its queues, for cluster_channels.c and cluster_audit.c. */
#pragma once

#include "server/cluster/cluster_channel.h"

#define LEVELS       34 /* how busy: 0 to 32; the last one is for those whom somebody waits for */
#define SUSPECTS_MAX 64

TAILQ_HEAD(cluster_channel_list, cluster_channel);

/* What an audit found: if pushes have not brought it some time later, something is wrong. */
struct suspect {
    struct cluster_channel *channel;
    struct stream_id place;
    uint64_t found_ms;
};

struct cluster_channels {
    struct cluster_channel_context context;
    struct cluster_channels_limits limits;
    struct cluster_channel **table;
    uint32_t capacity; /* a power of two */
    uint32_t count;
    struct cluster_channel_list subscribe[LEVELS];
    struct cluster_channel_list unsubscribe;
    struct cluster_channel_list grace; /* who has to go first stands first */
    uint32_t grace_count;
    uint32_t unacknowledged; /* names of the command that is under way */

    uint32_t audit_bucket; /* where the audit goes on */
    uint64_t audited_ms;
    uint64_t audit_thousandths; /* audits that are due */
    struct suspect suspects[SUSPECTS_MAX];
    uint32_t suspects_count;
};
