/* server/cluster/cluster_kept.h - pushes of a channel that wait until a gap before them is filled: a queue.
 *
 * Ownership: copies, records and all. Threads: one. */
#pragma once

#include "server/cluster/cluster_entry.h"

#include <stdbool.h>
#include <stddef.h>

struct cluster_kept_push {
    struct cluster_kept_push *next;
    uint32_t count;
    uint32_t bytes;      /* what it takes */
    bool was_asked_over; /* the stream was asked for what is missing after it had come */
    struct cluster_entry entries[];
};

/* The last, whose next is the first; 8 bytes where mostly there is none. */
struct cluster_kept {
    struct cluster_kept_push *last;
};

static inline struct cluster_kept_push *cluster_kept_first(const struct cluster_kept *kept)
{
    return kept->last != NULL ? kept->last->next : NULL;
}

/* What a push of these would take. */
size_t cluster_kept_bytes(const struct cluster_entry *entries, uint32_t count);
/* Copies it to the end. False: out of memory. */
bool cluster_kept_put(struct cluster_kept *kept, const struct cluster_entry *entries, uint32_t count);
/* Takes the first one out, which is the caller's to free(). There is one. */
struct cluster_kept_push *cluster_kept_take(struct cluster_kept *kept);
void cluster_kept_mark_asked_over(struct cluster_kept *kept);
