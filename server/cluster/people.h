/* server/cluster/people.h - who is where, over all nodes: members of presence channels, numbers of subscribers,
 * leases of nodes and what is left behind by those that died. Part of the cluster's thread, without input and
 * output of its own: what is to be sent it gives to people_way.send, what homes are to be told to people_way.tell.
 *
 *     people_take()       a home's job: a user has its first connection on this node, or none any more; so many
 *                         subscribers are here; a backend's question, which Redis alone answers
 *     people_entered()    pushes of a channel come from here on, for the first time or again: its home is told all
 *     people_push()       a push of it that begins with + - or =
 *     people_open()       the connections are up;  people_lost()  one has ended
 *     people_run()        each round, behind answers and pushes, and each tick
 *
 * How members go is told in server/cluster/cluster_members.h, how leases do in server/cluster/cluster_lease.h. A
 * number of subscribers is told to Redis when it changes, of one channel at most once a second, at once
 * when the first comes or the last goes; Redis sums them up, and pushes the sum. Each channel in which the node has
 * anybody stands in a set of the node's, so that others find what it leaves behind: when its lease is over they
 * take out its members, in slices, and its numbers. Backends are told of members, of channels occupied and vacated,
 * and of sums by the one node whose command it was that changed it.
 * Threads:   one.
 * Ownership: `prefix` and `about` live as long as this.
 * Memory:    for each channel that this node reads or has people in, some 250 bytes, its name and its members.
 * Errors:    what cannot be sent, or without memory, waits for people_run() a second later. */
#pragma once

#include "core/name.h"
#include "core/rc.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

struct people;
struct people_job;
struct people_way;
/* `about` is what the node says of itself (server/cluster/cluster_rules.h); another node that runs and differs is told
 * in the log. `number` is random. NULL: out of memory. */
struct people *people_new(const struct people_way *way, struct text prefix, const char *about, uint64_t lease_ms,
                          uint64_t number, uint64_t now_ms);
/* All that was sent has been answered, or was lost. Accepts NULL. */
void people_free(struct people *people);

/* ---- homes ---- */

/* A home's job, for its shard; it comes back by people_way.answer, now or later. */
void people_take(struct people *people, struct people_job *job);

/* ---- Redis ---- */

/* Both connections are up, and the generation is known; is it another one than before? */
void people_open(struct people *people, bool is_other_generation, uint64_t now_ms);
void people_lost(struct people *people);
/* `serial` is that of the home's ENTER. RC_OK, RC_ENOMEM. */
enum rc people_entered(struct people *people, const struct name *channel, struct text app, uint32_t shard,
                       uint32_t serial);
void people_left(struct people *people, const struct name *channel);
/* False: it cannot be read. */
bool people_push(struct people *people, const struct name *channel, struct text push);

void people_run(struct people *people, uint64_t now_ms);

/* Nobody is here any more: takes all of this node's out of Redis. */
void people_stop(struct people *people);
/* Nothing of this node's is left there, and nothing is under way. */
bool people_has_stopped(const struct people *people);

/* The name under which the node has its lease now. */
const char *people_node(const struct people *people);
/* How many nodes live, this one among them, by the last renewal; 0: it has no lease. */
uint32_t people_nodes_count(const struct people *people);
