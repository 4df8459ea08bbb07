/* server/cluster/people_channel.h - channels of which the cluster's thread knows people, and the table of all.
 *
 * A channel is here while a home reads it, while somebody of this node is in it, and until what is under way for it
 * is answered. Ownership: the table's; it stays where it is. Threads: one. */
#pragma once

#include "core/channel_type.h"
#include "core/name.h"
#include "core/rc.h"
#include "core/timer_wheel.h"
#include "server/cluster/cluster_members.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define PEOPLE_NOTED_UNSURE UINT32_MAX

struct people_channel {
    struct people_channel *next; /* in its chain */
    TAILQ_ENTRY(people_channel) active;
    struct timer timer; /* when it is active again */
    struct name name;   /* the text stands behind the struct, as the app's id */
    struct text app;
    struct channel_type type;
    uint32_t shard;    /* its home, */
    uint32_t serial;   /* and that one's last ENTER */
    uint32_t requests; /* under way */
    uint32_t noted;    /* under which of the node's names it stands in the set of its channels; 0: in none */

    struct cluster_members *members; /* NULL: it has none */

    uint64_t count;     /* subscribers on this node, as the home said; */
    uint64_t told;      /* as Redis was told; */
    uint64_t count_ms;  /* not told again before */
    uint64_t sum;       /* on all nodes, as told last to the home */
    uint32_t sum_reads; /* each push of the sum makes an answer older than it void */

    bool is_active : 1;
    bool is_read : 1;
    bool has_sum : 1;
    bool is_sum_wanted : 1;
    bool is_count_unsure : 1; /* what was told may have been lost */
    bool is_count_under_way : 1;
    bool is_put_back : 1; /* Redis was lost, which had its number: no news to backends when it is told again */
};

TAILQ_HEAD(people_channel_list, people_channel);

struct people_table {
    struct people_channel **chains;
    uint32_t capacity; /* 0 or a power of two */
    uint32_t count;
};

/* NULL: it is not here. */
struct people_channel *people_channel_find(const struct people_table *table, const struct name *name);
/* One that is not here yet, zeroed. NULL: out of memory. */
struct people_channel *people_channel_add(struct people_table *table, const struct name *name, struct text app);
/* It is in no list any more and no timer is set. */
void people_channel_remove(struct people_table *table, struct people_channel *channel);
/* All, in any order: NULL begins, NULL is behind the last. The one given may have been removed only if its successor
 * was asked for before. */
struct people_channel *people_channel_next(const struct people_table *table, const struct people_channel *channel);
void people_table_fini(struct people_table *table);
