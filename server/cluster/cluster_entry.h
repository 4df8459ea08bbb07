/* server/cluster/cluster_entry.h - one message of a channel, as Redis pushes it or reads it from a stream. */
#pragma once

#include "core/text.h"
#include "server/cluster/stream_id.h"

#include <stdint.h>

struct cluster_entry {
    struct stream_id id; /* epoch 0: it has no place; offset 0: no message, an epoch begins */
    uint64_t time_ms;
    uint64_t node; /* whose token it has, 0: nobody's, */
    uint64_t counter;
    struct text record; /* a view of what was received */
};

static inline bool stream_id_equals(const struct stream_id *a, const struct stream_id *b)
{
    return a->epoch == b->epoch && a->offset == b->offset;
}

static inline bool stream_id_is_behind(const struct stream_id *one, const struct stream_id *other)
{
    return one->epoch > other->epoch || (one->epoch == other->epoch && one->offset > other->offset);
}

/* What comes right after it in the same epoch? */
static inline bool stream_id_is_next(const struct stream_id *next, const struct stream_id *id)
{
    return next->epoch == id->epoch && next->offset == id->offset + 1;
}
