/* core/slab.c - blocks aligned to their size, so that an object's address leads to its block. */
#include "core/slab.h"

#include <assert.h>
#include <sanitizer/asan_interface.h> /* its macros do nothing in builds without ASan */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum {
    BLOCK_BYTES = 64 * 1024,
    ALIGNMENT = 8,
};

struct slab_free {
    struct slab_free *next;
};

/* At the start of a block. */
struct slab_block {
    LIST_ENTRY(slab_block) link; /* while it has room */
    struct slab_free *free;      /* given back, the latest first */
    uint32_t in_use;
    uint32_t fresh; /* objects from here on were never touched */
};

/* ---- blocks ---- */

static uint8_t *objects_of(struct slab_block *block)
{
    return (uint8_t *)(block + 1);
}

static struct slab_block *block_of(void *object)
{
    return (struct slab_block *)((uintptr_t)object & ~(uintptr_t)(BLOCK_BYTES - 1));
}

/* The kernel aligns to pages only: of twice as much, what stands before and behind goes back. */
static void *map_block(void)
{
    uint8_t *wide = mmap(NULL, 2 * BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (wide == MAP_FAILED) return NULL;
    size_t before = -(uintptr_t)wide % BLOCK_BYTES;
    if (before > 0) munmap(wide, before);
    munmap(wide + before + BLOCK_BYTES, BLOCK_BYTES - before);
    madvise(wide + before, BLOCK_BYTES, MADV_DONTDUMP);
    return wide + before;
}

static void unmap_block(struct slab *slab, struct slab_block *block)
{
    LIST_REMOVE(block, link);
    ASAN_UNPOISON_MEMORY_REGION(block, BLOCK_BYTES); /* the kernel may give the addresses to somebody else */
    munmap(block, BLOCK_BYTES);
    slab->blocks--;
}

/* ---- the slab ---- */

void slab_init(struct slab *slab, size_t object_bytes)
{
    assert(object_bytes > 0 && object_bytes <= SLAB_OBJECT_BYTES_MAX);
    size_t stride_bytes = (object_bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *slab = (struct slab){
        .stride_bytes = stride_bytes,
        .block_objects = (uint32_t)((BLOCK_BYTES - sizeof(struct slab_block)) / stride_bytes),
    };
}

void slab_fini(struct slab *slab)
{
    assert(slab->in_use == 0);
    while (!LIST_EMPTY(&slab->roomy)) {
        unmap_block(slab, LIST_FIRST(&slab->roomy));
    }
    assert(slab->blocks == 0);
    *slab = (struct slab){0};
}

static void *take_from(struct slab *slab, struct slab_block *block)
{
    void *object = block->free;
    if (object != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(object, slab->stride_bytes);
        block->free = block->free->next;
        memset(object, 0, sizeof(struct slab_free));
    } else {
        object = objects_of(block) + block->fresh * slab->stride_bytes;
        block->fresh++;
    }
    block->in_use++;
    slab->in_use++;
    return object;
}

void *slab_take(struct slab *slab)
{
    struct slab_block *block = LIST_FIRST(&slab->roomy);
    if (block == NULL) {
        block = map_block();
        if (block == NULL) return NULL;
        LIST_INSERT_HEAD(&slab->roomy, block, link);
        slab->blocks++;
    }
    void *object = take_from(slab, block);
    if (block->in_use == slab->block_objects) LIST_REMOVE(block, link);
    return object;
}

void slab_give(struct slab *slab, void *object)
{
    struct slab_block *block = block_of(object);
    assert(slab->in_use > 0 && block->in_use > 0);
    bool was_full = block->in_use == slab->block_objects;
    memset(object, 0, slab->stride_bytes);
    ((struct slab_free *)object)->next = block->free;
    block->free = object;
    block->in_use--;
    slab->in_use--;
    ASAN_POISON_MEMORY_REGION(object, slab->stride_bytes);
    if (was_full) LIST_INSERT_HEAD(&slab->roomy, block, link);
    bool is_spare = LIST_FIRST(&slab->roomy) == block && LIST_NEXT(block, link) == NULL; /* no other has room */
    if (block->in_use == 0 && !is_spare) unmap_block(slab, block);
}
