/* net/tls/gmp_memory.h - where GMP, and hogweed through it, has its numbers while it computes with secrets: a block of
 * the caller's, which is wiped in the end. For the files of net/tls alone.
 *
 * By themselves they give memory back unwiped, and end the process when there is none. Outside of a block they have
 * whatever memory they had before. No allocation in a block fails; what finds no room in it is wiped when it is given
 * back.
 * Threads: gmp_memory_begin() in the main thread, before there are others; a block belongs to a thread, one at a time.
 */
#pragma once

#include <stdint.h>

enum {
    GMP_MEMORY_BYTES = 16 * 1024, /* hogweed takes 3 KB */
    GMP_MEMORY_ALIGNMENT = 16,
};

/* On the stack; `used` is 0 at first. */
struct gmp_memory {
    uint32_t used;
    _Alignas(GMP_MEMORY_ALIGNMENT) uint8_t block[GMP_MEMORY_BYTES];
};

/* Once; nothing when called again. */
void gmp_memory_begin(void);
void gmp_memory_enter(struct gmp_memory *memory);
/* Wipes what was used of it, and the stack that hogweed has used: call it from where that was called. */
void gmp_memory_leave(struct gmp_memory *memory);
