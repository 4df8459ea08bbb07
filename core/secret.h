/* core/secret.h - memory for what nobody else may read: it stands in no core dump, and is wiped when it is given back.
 *
 * Threads:  any; a block belongs to whoever has it.
 * Memory:   whole pages for each block, from the kernel: for few things that live long.
 * Bounds:   none of its own.
 * Contents: zeros at first. It may be swapped out: a machine with such secrets has no swap, or an encrypted one. */
#pragma once

#include <stddef.h>

/* NULL: the kernel has no memory. Free accepts NULL. */
void *secret_new(size_t bytes);
void secret_free(void *secret);

/* Takes what stands in memory of others out of core dumps, with all that shares its pages; for as long as these pages
 * are the process'. Where the kernel refuses, nothing happens. */
void secret_hide(const void *memory, size_t bytes);

/* Wipes 16 KB of the stack below the caller's frame, where those of the calls that it made lay. */
void secret_wipe_stack(void);
