/* net/tls/gmp_memory.c - GMP's three functions for memory. */
#include "net/tls/gmp_memory.h"

#include "core/secret.h"

#include <assert.h>
#include <gmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static _Thread_local struct gmp_memory *current; /* NULL: nothing is computed */

/* Who had GMP's memory before us: its own, which end the program when there is none, or those of another library in it
 * (libcurl brings GnuTLS, which wipes). */
static void *(*former_allocate)(size_t bytes);
static void *(*former_reallocate)(void *memory, size_t old_bytes, size_t bytes);
static void (*former_release)(void *memory, size_t bytes);

static bool is_in_block(const void *memory)
{
    return current != NULL && (uintptr_t)memory - (uintptr_t)current->block < GMP_MEMORY_BYTES;
}

static void *allocate(size_t bytes)
{
    size_t room = (bytes + GMP_MEMORY_ALIGNMENT - 1) / GMP_MEMORY_ALIGNMENT * GMP_MEMORY_ALIGNMENT;
    if (current == NULL || room > GMP_MEMORY_BYTES - current->used) return former_allocate(bytes);
    void *memory = current->block + current->used;
    current->used += (uint32_t)room;
    return memory;
}

static void release(void *memory, size_t bytes)
{
    if (is_in_block(memory)) return;
    if (current != NULL) explicit_bzero(memory, bytes); /* what found no room there is as secret */
    former_release(memory, bytes);
}

static void *reallocate(void *memory, size_t old_bytes, size_t bytes)
{
    if (current == NULL) return former_reallocate(memory, old_bytes, bytes);
    void *larger = allocate(bytes);
    memcpy(larger, memory, old_bytes < bytes ? old_bytes : bytes);
    release(memory, old_bytes);
    return larger;
}

void gmp_memory_begin(void)
{
    if (former_allocate != NULL) return;
    mp_get_memory_functions(&former_allocate, &former_reallocate, &former_release);
    mp_set_memory_functions(allocate, reallocate, release);
}

void gmp_memory_enter(struct gmp_memory *memory)
{
    assert(current == NULL && memory->used == 0);
    current = memory;
}

void gmp_memory_leave(struct gmp_memory *memory)
{
    assert(current == memory);
    current = NULL;
    explicit_bzero(memory->block, memory->used);
    memory->used = 0;
    secret_wipe_stack(); /* hogweed's frames: 3 KB of numbers, and what calls lead to them */
}
