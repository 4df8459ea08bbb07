/* core/slab.h - equal objects in blocks of 64 KB, which come from the kernel when needed and go back when empty.
 *
 * Unlike core/pool.h there is no bound and nothing is reserved. For objects that live long while memory all around them
 * comes and goes: among malloc's blocks each would hold a page.
 * Threads:  one; the slab takes no lock.
 * Memory:   one empty block is kept, the others are given back at once. A block costs memory page by page, as it fills.
 * Secrets:  an object is zeroed when it is given back, and blocks stand in no core dump.
 * Contents: a taken object is zeroed; a free one is out of bounds under ASan. Alignment: 8 bytes. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct slab_block;

/* Fields are to be read; set by slab_init(). */
struct slab {
    LIST_HEAD(, slab_block) roomy; /* blocks with room */
    size_t stride_bytes;
    uint32_t block_objects; /* that a block has room for */
    uint32_t in_use;
    uint32_t blocks;
};

/* object_bytes: at most SLAB_OBJECT_BYTES_MAX. Asks for no memory. */
#define SLAB_OBJECT_BYTES_MAX 4096
void slab_init(struct slab *slab, size_t object_bytes);
/* Every object must be back: asserted. Accepts a zeroed slab, and leaves one. */
void slab_fini(struct slab *slab);

/* NULL: the kernel has no memory. */
void *slab_take(struct slab *slab);
/* `object` comes from this slab. Never NULL. */
void slab_give(struct slab *slab, void *object);
