/* server/cluster/cluster_member.h - one user of a presence channel, as the cluster's thread knows it, and the table
 * of all of a channel. For server/cluster/cluster_members.c, which says what it means.
 *
 * Ownership: the table's. A member stays where it is until it is removed.
 * Errors:    out of memory leaves all as before. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Does Redis have this node among those of the user? */
enum cluster_member_place {
    MEMBER_AWAY,
    MEMBER_HERE,
    MEMBER_UNSURE, /* something was asked that may be done or not */
};

struct cluster_member {
    struct cluster_member *next; /* in its chain */
    TAILQ_ENTRY(cluster_member) asking;
    TAILQ_ENTRY(cluster_member) changed;
    uint64_t hash;
    char *texts; /* id, info */
    uint32_t id_bytes;
    uint32_t info_bytes;
    enum cluster_member_place place;
    bool is_wanted : 1;    /* has connections on this node */
    bool is_under_way : 1; /* what was asked has no answer yet */
    bool is_asking : 1;    /* stands in the list of those for whom something is to be asked */
    bool is_changed : 1;   /* and in that of those who have changed since they were told */
    bool is_here : 1;      /* a member by what Redis said last */
    bool is_missing : 1;   /* was one when Redis was lost, and may be put back yet */
    bool is_told : 1;      /* a member by what was told last, */
    bool is_other : 1;     /* with another info */
    bool is_seen : 1;      /* in the snapshot that is being read */
    bool is_put_back : 1;  /* was one before Redis was lost: no news to backends */
    bool is_expected : 1;  /* a push of what was answered has not come yet */
};

TAILQ_HEAD(cluster_member_list, cluster_member);

struct cluster_member_table {
    struct cluster_member **chains;
    uint32_t capacity; /* 0 or a power of two */
    uint32_t count;
};

static inline struct text cluster_member_id(const struct cluster_member *member)
{
    return (struct text){member->texts, member->id_bytes};
}

static inline struct text cluster_member_info(const struct cluster_member *member)
{
    return (struct text){member->texts + member->id_bytes, member->info_bytes};
}

/* Is the user to be told as a member? One with connections here stays one. */
static inline bool cluster_member_is_shown(const struct cluster_member *member)
{
    return member->is_here || member->is_missing || (member->is_wanted && member->is_told);
}

/* NULL: nobody of that id. */
struct cluster_member *cluster_member_find(const struct cluster_member_table *table, struct text user_id);
/* Adds one, zeroed, who is not there yet. NULL: out of memory. Both texts have less than 4 GiB. */
struct cluster_member *cluster_member_add(struct cluster_member_table *table, struct text user_id, struct text info);
/* RC_OK, RC_ENOMEM: has the info it had. */
enum rc cluster_member_set_info(struct cluster_member *member, struct text info);
/* It stands in no list any more. */
void cluster_member_remove(struct cluster_member_table *table, struct cluster_member *member);
/* All of them, in any order: NULL begins, NULL is behind the last. The one given may have been removed only if its
 * successor was asked for before. */
struct cluster_member *cluster_member_next(const struct cluster_member_table *table,
                                           const struct cluster_member *member);
/* Removes all, whatever lists they stand in. */
void cluster_member_table_fini(struct cluster_member_table *table);
