/* server/cluster/cluster_members_state.h - what cluster_members.c, which has the wishes, and
 * cluster_members_read.c, which has what comes, share.
 *
 * Not obvious: a member is never where two things say it is. `place` is what we believe that Redis has of this node;
 * `is_here` what Redis has of all nodes; `is_told` what the home has been told. cluster_members_review() is called
 * after each change of any of them, and puts the member into the lists of those for whom something is to be asked
 * or told, or lets it go. Answers come in the order of the questions, so a snapshot shows what was answered before
 * it, and says nothing of a user for whom something is under way. Pushes come on a connection of their own, in no
 * order with answers. */
#pragma once

#include "server/cluster/cluster_member.h"

#define NODE_BYTES_MAX 64

/* A push that came while a snapshot was under way. */
struct kept_push {
    STAILQ_ENTRY(kept_push) entry;
    size_t bytes;
    char text[];
};

struct cluster_members {
    struct cluster_member_table table;
    struct cluster_member_list asking;
    struct cluster_member_list changed;
    uint32_t here;
    uint32_t under_way; /* joins and leaves */
    uint32_t name_round;
    char node[NODE_BYTES_MAX + 2]; /* with a blank on both sides, as it stands in a row */
    size_t node_bytes;

    bool is_read;            /* pushes come */
    bool is_whole;           /* there was a snapshot since, */
    bool is_known;           /* and no number was missing since that one */
    bool is_snapshot_wanted; /* and not asked for */
    bool is_snapshot_under_way;
    bool is_short;   /* of memory, in the snapshot that is being read */
    bool is_audited; /* the last audit found another version */
    uint64_t version;
    uint64_t snapshot_version; /* of the one that is being read */
    STAILQ_HEAD(, kept_push) kept;
    uint32_t kept_count;
    size_t kept_bytes;

    uint64_t ask_from_ms; /* not before: something failed */
    uint64_t snapshot_from_ms;
    uint64_t look_ms;           /* what was expected has to be here; UINT64_MAX: nothing is */
    uint64_t patience_until_ms; /* 0: none is needed */
};

/* Into or out of the lists; who is in nobody's mind goes. */
void cluster_members_review(struct cluster_members *members, struct cluster_member *member);
/* Each of them, with a review; the function removes none. */
typedef void cluster_members_visit(struct cluster_members *members, struct cluster_member *member);
void cluster_members_for_each(struct cluster_members *members, cluster_members_visit *visit);
/* Redis has the user, or not; as it was expected. */
void cluster_members_set_here(struct cluster_members *members, struct cluster_member *member, bool is_here);
void cluster_members_forget_kept(struct cluster_members *members);
/* A snapshot is wanted, if pushes are read. */
void cluster_members_want_snapshot(struct cluster_members *members);
