/* server/cluster/redis_entries.h - messages of a channel out of what Redis pushes, and out of what it reads from a
 * stream.
 *
 * What cannot be read in them is an entry without a record, which keeps its place: it is passed over.
 * Ownership: entries are views of what was received, and last until the next call. Threads: one.
 * Bounds:    as many as were received: a push of 40 bytes or more for each, a reply of the link's bound. */
#pragma once

#include "core/rc.h"
#include "server/cluster/cluster_entry.h"
#include "server/cluster/push.h"

#include <hiredis/hiredis.h>

/* Fields are to be read; zero is empty. */
struct redis_entries {
    struct cluster_entry *items;
    uint32_t count;
    uint32_t capacity;
    uint32_t unreadable; /* of these */
};

void redis_entries_fini(struct redis_entries *entries);

/* The records of a push of that kind. RC_OK; RC_EINVAL: it has none, or its count cannot be; RC_ENOMEM. */
enum rc redis_entries_of_push(struct redis_entries *entries, const struct push *push);
/* What XRANGE or XREVRANGE answered, in its order. RC_OK, RC_EINVAL (it is no such answer), RC_ENOMEM. */
enum rc redis_entries_of_range(struct redis_entries *entries, const redisReply *reply);
/* What the script OPEN answered: an id. */
enum rc redis_entries_of_id(struct redis_entries *entries, const redisReply *reply);
