/* server/cluster/cluster_members.h - the members of one presence channel over all nodes: what this node knows, what
 * its home wants, and what is to be asked of Redis for both to become one. No input or output: who has it asks what
 * is to be sent, sends it, and tells what came.
 *
 *     cluster_members_join(), _part()          a user has its first, or no, connection on this node
 *     while (cluster_members_ask(m, now, &ask)) send it, cluster_members_sent(m, &ask), keep the ask;
 *                                              with its answer: cluster_members_answered() or _failed()
 *     cluster_members_push()                   a push of the channel that tells of members; this and snapshots
 *                                              are in server/cluster/cluster_members_read.h
 *     while ((count = cluster_members_changes(m, changes, max)) > 0) tell the home, cluster_members_told(m, count)
 *
 * Joins and parts are asked until they are answered; a repeat is answered 0. Redis numbers all changes of a
 * channel: the next number is applied, a lower one is old, any other leads to a snapshot, of which only the
 * difference to what was told is told. In a snapshot this node also looks for itself: users of its own who are
 * missing are joined again, users who are said to be here and are not are taken out. A user with connections on
 * this node is never told to have gone. When Redis may have forgotten (cluster_members_forgotten()), those whom a
 * snapshot lacks are told to have gone only when the other nodes have had the time to put theirs back.
 * Threads:   one.
 * Ownership: texts are copied. What an ask or a change shows lives until the next call but the one that it is for.
 * Memory:    the bytes of id and info and some 120 more for each member of the channel, and for each user of this
 *            node until its leaving is answered; pushes that wait for a snapshot: MEMBERS_PUSHES_MAX and
 *            MEMBERS_PUSH_BYTES_MAX. How many members there are the homes bound, before they ask.
 * Errors:    without memory for what came, a snapshot is asked for again a second later. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

#define MEMBERS_RETRY_MS 1000 /* what failed is asked again, and what has not come is looked for */

struct cluster_member;
struct cluster_members;

/* `node` is this node's id, without blanks; it is copied. NULL: out of memory. */
struct cluster_members *cluster_members_new(struct text node);
/* Accepts NULL. */
void cluster_members_free(struct cluster_members *members);

/* ---- what the home wants ---- */

/* The user has a connection here, and had none. RC_ENOMEM: nothing changed. */
enum rc cluster_members_join(struct cluster_members *members, struct text user_id, struct text info);
/* And has none any more; or never had, which is nothing. */
void cluster_members_part(struct cluster_members *members, struct text user_id);
/* Nobody has. */
void cluster_members_part_all(struct cluster_members *members);

/* Pushes of the channel come from here on: what was told before is forgotten, all is told anew. */
void cluster_members_begin(struct cluster_members *members);
/* None come any more, and nothing is told. Users of this node go on. */
void cluster_members_end(struct cluster_members *members);

/* ---- what is to be asked ---- */

enum cluster_members_kind {
    MEMBERS_JOIN,     /* script JOIN, for this user */
    MEMBERS_LEAVE,    /* script LEAVE; several of one channel may share a call */
    MEMBERS_SNAPSHOT, /* all fields of the hash, asked behind what was asked before */
};

struct cluster_members_ask {
    enum cluster_members_kind kind;
    uint32_t name_round; /* under which of its names the node asks */
    struct cluster_member *member;
    struct text user_id; /* these two are not there any more when it is answered */
    struct text info;
};

/* What is to be asked next; false: nothing now. It stays the same until it is said to be sent. */
bool cluster_members_ask(struct cluster_members *members, uint64_t now_ms, struct cluster_members_ask *ask_r);
void cluster_members_sent(struct cluster_members *members, const struct cluster_members_ask *ask);

enum cluster_members_news { MEMBERS_NO_NEWS, MEMBERS_ADDED, MEMBERS_REMOVED };

/* What backends are to be told of a user, by this node and by no other, when JOIN or LEAVE was answered 0, 1 or 2;
 * then that it was answered. */
enum cluster_members_news cluster_members_news(const struct cluster_members_ask *ask, int answer,
                                               struct text *user_id_r);
void cluster_members_answered(struct cluster_members *members, const struct cluster_members_ask *ask, int answer,
                              uint64_t now_ms);
/* It was answered with an error, LATE or another: it is asked again. */
void cluster_members_failed(struct cluster_members *members, const struct cluster_members_ask *ask, uint64_t now_ms);
/* Is nothing under way, nothing to be asked, and nobody of this node in Redis? Then it may be freed. */
bool cluster_members_is_idle(const struct cluster_members *members);
/* Something is under way: it may not be freed, for what is under way points to it. */
bool cluster_members_is_busy(const struct cluster_members *members);

/* ---- accidents ---- */

/* The connections ended: nothing of what is under way is answered any more. */
void cluster_members_lost(struct cluster_members *members);
/* Look at all anew: pushes come again; or the node has found something wrong. */
void cluster_members_check(struct cluster_members *members);
/* Redis may have forgotten all: who is missing then is told to have gone from patience_until_ms on. */
void cluster_members_forgotten(struct cluster_members *members, uint64_t patience_until_ms);
/* The node goes on under another name, for its lease was over: all of its users join under that. */
void cluster_members_rename(struct cluster_members *members, struct text node);

/* ---- what is told ---- */

struct cluster_members_change {
    bool has_left;   /* who was told before; */
    bool has_joined; /* both: has another info now */
    bool is_last;    /* no other change waits */
    struct text user_id;
    struct text info;
};

/* What is to be told next, in order; returns how much of it. It stays the same until it is said to be told. */
uint32_t cluster_members_changes(const struct cluster_members *members, struct cluster_members_change *changes_r,
                                 uint32_t changes_max);
/* So many of these were told. */
void cluster_members_told(struct cluster_members *members, uint32_t count);

/* How many are members, by what was said last. */
uint32_t cluster_members_count(const struct cluster_members *members);
