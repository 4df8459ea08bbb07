/* core/trim.h - gives memory that was freed back to the kernel, a piece at a time.
 *
 * After a burst malloc keeps what was freed: between free blocks lie some in use. malloc_trim() gives it back in one go
 * and holds the lock of each thread's arena meanwhile, 20 ms for 80 MB, so that whoever allocates there stands still.
 * This takes blocks from malloc like any caller, tells the kernel that their pages are not needed, and frees them all
 * when malloc has nothing more to give that is in memory.
 * Threads: one; what comes back is what malloc would give that thread.
 * Bounds:  a step gives back 1 MiB or frees 512 blocks, which takes half a millisecond. Between the steps of a pass the
 *          blocks are held, which costs a page for each that was not in memory.
 * Errors:  none; without memory a pass ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trim_block;

/* Zeroed: no pass is under way. */
struct trim {
    struct trim_block *held;
    uint32_t size;   /* of blocks, as an index of the table in trim.c */
    uint32_t misses; /* blocks in a row that were not in memory */
};

/* Main thread, before others: sets which memory malloc keeps, and which it gives back without our help. */
void trim_prepare(void);

/* Begins a pass or goes on with it. True: it is not over. */
bool trim_step(struct trim *trim);
/* Cuts a pass short: what it holds is freed by the next steps. */
void trim_cut(struct trim *trim);
/* Gives up a pass at once. */
void trim_end(struct trim *trim);

static inline bool trim_is_under_way(const struct trim *trim)
{
    return trim->held != NULL;
}
