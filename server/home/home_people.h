/* server/home/home_people.h - who is in a channel, where there are other nodes (server/cluster/people.h): the home
 * counts its node's members and subscribers, tells the cluster of them, and is told who and how many there are on
 * all nodes.
 *
 * roster->presence is then the table of all nodes, each member once, and changes only by what the cluster tells. A
 * member who joins waits until that table has him; who watches a user, until it is known whether that one is there.
 * Backends are told of people by the cluster's word alone, since only one node may.
 * Threads:   the home shard.
 * Ownership: the roster's, from its first subscriber until the channel was left; jobs under way are the shard's.
 * Bounds:    who waits is a connection each, and waits at most PEOPLE_WAIT_MS. */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

#define PEOPLE_WAIT_MS          5000
#define HOME_SNAPSHOT_BYTES_MAX (64 * 1024 * 1024) /* of members, whatever members_max and member_bytes_max permit */

struct join;
struct people_event;
struct people_job;
struct query;
struct roster;
struct shard;

/* A member wants in: is counted on this node. RC_OK; RC_EFULL, RC_ENOMEM: is not. */
enum rc home_people_admit(struct shard *shard, struct roster *roster, const struct join *join);
/* A member's connection has gone. */
void home_people_dismiss(struct shard *shard, struct roster *roster, struct text user_id);
/* How many subscribers are on this node has changed. RC_ENOMEM: the first of them cannot be counted. */
enum rc home_people_changed(struct shard *shard, struct roster *roster);
/* Who was admitted cannot be answered yet: true, and the join is taken over. */
bool home_people_wait(struct shard *shard, struct roster *roster, struct join *join);
/* The end of a turn. False: something could not be told for want of memory, and is to be tried again. */
bool home_people_settle(struct shard *shard, struct roster *roster);
/* Those who waited too long, a list by `next`; NULL: none have. They are the caller's. */
struct join *home_people_late(struct shard *shard, struct roster *roster);

/* What the cluster tells; `roster` is that of the channel, or NULL if nobody here reads it. Frees the event. */
void home_people_told(struct shard *shard, struct roster *roster, struct people_event *event);
/* A job is back. */
void home_people_back(struct shard *shard, struct people_job *job);
/* The shard ends. */
void home_people_free(struct shard *shard, struct roster *roster);
