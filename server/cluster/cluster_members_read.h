/* server/cluster/cluster_members_read.h - what comes of Redis for the members of a channel: pushes that are
 * numbered, and snapshots. What holds for all of it says server/cluster/cluster_members.h. */
#pragma once

#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

#define MEMBERS_PUSHES_MAX     1024
#define MEMBERS_PUSH_BYTES_MAX (1024 * 1024)

struct cluster_members;

/* '+ ...' or '- ...' as the scripts push it. False: it cannot be read; it is taken as a number that is missing. */
bool cluster_members_push(struct cluster_members *members, struct text push);

/* The snapshot was answered: this, a row for each field, this. */
void cluster_members_snapshot_begin(struct cluster_members *members);
void cluster_members_snapshot_row(struct cluster_members *members, struct text user_id, struct text value);
void cluster_members_snapshot_end(struct cluster_members *members, uint64_t now_ms);

/* The version that the hash has now, by an audit; 0: none. Another than the one known leads to a snapshot, if it is
 * so twice. */
void cluster_members_audit(struct cluster_members *members, uint64_t version);

/* When cluster_members_tick() has something to do; UINT64_MAX: never. */
uint64_t cluster_members_due_ms(const struct cluster_members *members);
void cluster_members_tick(struct cluster_members *members, uint64_t now_ms);
