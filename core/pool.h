/* core/pool.h - a fixed number of equal objects, given out one at a time.
 *
 * Threads:   one; the pool takes no lock.
 * Memory:    pool_init() only reserves address space. An object costs memory from its first use on, page by page, and
 *            until pool_fini(): the last one given back is the first one taken again, so the hot ones stay hot and
 *            the memory held is that of the high-water mark.
 * Contents:  a taken object holds rubbish, whatever the build: set every field. A free object is out of bounds under
 *            ASan, so that a use after pool_give(), or giving twice, stops at the line that does it; builds without
 *            optimisation also fill it with 0xdb.
 * Alignment: 16 bytes; objects whose size is a multiple of 64 start on a cache line. */
#pragma once

#include "core/rc.h"

#include <stddef.h>
#include <stdint.h>

struct pool {
    uint8_t *objects;       /* start of the reserved space */
    struct pool_free *free; /* given back, the latest first */
    size_t stride_bytes;    /* from one object to the next */
    uint32_t objects_max;
    uint32_t in_use;
    uint32_t high_water; /* objects from here on were never touched */
};

/* RC_OK, RC_EINVAL (a size or count of 0), or RC_ENOMEM (address space refused): then the pool is zeroed. */
enum rc pool_init(struct pool *pool, size_t object_bytes, uint32_t objects_max);

/* Every object must be back: asserted, for no leak checker sees into a pool. Accepts a zeroed pool and leaves one. */
void pool_fini(struct pool *pool);

/* NULL when objects_max are in use. */
void *pool_take(struct pool *pool);

/* `object` comes from this pool and is not looked at again by its former holder. Never NULL. */
void pool_give(struct pool *pool, void *object);

static inline uint32_t pool_in_use(const struct pool *pool)
{
    return pool->in_use;
}

/* The most that were ever in use at the same time. */
static inline uint32_t pool_high_water(const struct pool *pool)
{
    return pool->high_water;
}
