/* core/hub.h - a shard's channels, by name.
 *
 * Threads:   one shard.
 * Ownership: the hub owns its channels. A channel stays while anyone local subscribes or waits for the home's word, a
 *            message waits in it, or (at home) its roster is needed; hub_drop_if_unused() is called when one of these
 *            may have ended.
 * Cost:      a lookup is one hash (in the name) and about one comparison; the table doubles when it is full. */
#pragma once

#include "core/channel.h"

struct hub {
    struct channel **table;
    uint32_t capacity; /* power of two */
    uint32_t count;
    uint32_t shard; /* whose hub this is */
    uint32_t homes; /* shards that are homes: those with a lower index */
};

enum rc hub_init(struct hub *hub, uint32_t shard, uint32_t homes);
/* Frees channels that are left; no subscription may be used afterwards. Waiting messages were taken out before, and
 * what rosters keep. */
void hub_fini(struct hub *hub);

/* The home shard of a name: the same on every shard. */
uint32_t hub_home(const struct hub *hub, const struct name *name);

/* NULL: no such channel here. */
struct channel *hub_find(const struct hub *hub, const struct name *name);
/* The channel of that name, made if it is not there yet. NULL: out of memory. */
struct channel *hub_make(struct hub *hub, const struct name *name);
/* Frees the channel if nothing needs it any more; says whether it did. */
bool hub_drop_if_unused(struct hub *hub, struct channel *channel);

/* A walk over all channels in pieces, between which channels are made and dropped: those that are there all the time
 * are met once. */
struct hub_walk {
    uint32_t parts; /* of the table, one for each bucket that it had at the beginning: it only doubles */
    uint32_t part;  /* the next */
};

/* May drop the channel, and make or drop no other. */
typedef void hub_visit(void *context, struct channel *channel);

void hub_walk_begin(const struct hub *hub, struct hub_walk *walk);
/* Goes on until it has looked at so many channels and empty buckets, or a few more. False: the walk is over. */
bool hub_walk_step(const struct hub *hub, struct hub_walk *walk, uint32_t looks, hub_visit *visit, void *context);

/* All channels, in any order: start with *bucket = 0 and NULL; NULL behind the last. Channels must not be made
 * meanwhile, nor dropped, but for the one before the last. */
struct channel *hub_next(const struct hub *hub, uint32_t *bucket, const struct channel *channel);
