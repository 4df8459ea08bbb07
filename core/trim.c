/* core/trim.c - blocks from large to small: of a large one nearly all is whole pages, of a small one a part, but small
 * ones fit into the holes that are left. Their first bytes make the list; what is given back lies behind these. */
#include "core/trim.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#define PAGE_BYTES   4096u
#define BLOCK_BYTES  (1024u * 1024) /* of the largest; a step gives back so much too */
#define SIZES        5
#define FREES_A_STEP 512
#define MISSES_MAX   32
/* malloc maps and unmaps what is larger by itself; the rest comes from the heap, and this much at its top stays. */
#define MAP_BYTES    (2 * BLOCK_BYTES)
#define KEEP_BYTES   (4 * BLOCK_BYTES)

struct trim_block {
    struct trim_block *next;
};

/* From large to small, and after how many in a row that were not in memory there are no more worth looking for: each
 * of these makes the heap grow, for a while. */
static const struct {
    uint32_t bytes, misses_max;
} sizes[SIZES] = {
    {BLOCK_BYTES, 2}, {BLOCK_BYTES / 4, 4}, {BLOCK_BYTES / 16, 8}, {BLOCK_BYTES / 32, 16}, {2 * PAGE_BYTES, 32}};

void trim_prepare(void)
{
    mallopt(M_MMAP_THRESHOLD, MAP_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEEP_BYTES);
}

/* Gives a block's whole pages back. False: none was in memory. */
static bool give_back(struct trim_block *block, size_t bytes)
{
    unsigned char is_resident[BLOCK_BYTES / PAGE_BYTES];
    uintptr_t from = ((uintptr_t)(block + 1) + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
    uintptr_t to = ((uintptr_t)block + bytes) & ~(uintptr_t)(PAGE_BYTES - 1);
    size_t pages = (to - from) / PAGE_BYTES, resident = 0;
    if (mincore((void *)from, to - from, is_resident) != 0) return false;
    for (size_t i = 0; i < pages; i++) {
        resident += is_resident[i] & 1;
    }
    return resident > 0 && madvise((void *)from, to - from, MADV_DONTNEED) == 0;
}

/* Takes one block more. False: malloc has none of that size in memory, as it seems. */
static bool take(struct trim *trim)
{
    size_t bytes = sizes[trim->size].bytes;
    struct trim_block *block = malloc(bytes);
    if (block == NULL) return false;
    block->next = trim->held;
    trim->held = block;
    trim->misses = give_back(block, bytes) ? 0 : trim->misses + 1;
    return trim->misses < sizes[trim->size].misses_max;
}

static void free_some(struct trim *trim, uint32_t most)
{
    for (uint32_t i = 0; i < most && trim->held != NULL; i++) {
        struct trim_block *block = trim->held;
        trim->held = block->next;
        free(block);
    }
    if (trim->held == NULL) *trim = (struct trim){0};
}

/* The sanitizers' malloc keeps what was freed on purpose, and takes its time for large blocks. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_OTHER_MALLOC true
#else
#define HAS_OTHER_MALLOC false
#endif

bool trim_step(struct trim *trim)
{
    if (HAS_OTHER_MALLOC) return false;
    if (trim->size == SIZES) {
        free_some(trim, FREES_A_STEP);
        return trim_is_under_way(trim);
    }
    for (size_t bytes = 0; bytes < BLOCK_BYTES; bytes += sizes[trim->size].bytes) {
        if (take(trim)) continue;
        trim->misses = 0;
        trim->size++;
        break;
    }
    return true;
}

void trim_cut(struct trim *trim)
{
    if (trim_is_under_way(trim)) trim->size = SIZES;
}

void trim_end(struct trim *trim)
{
    free_some(trim, UINT32_MAX);
}
