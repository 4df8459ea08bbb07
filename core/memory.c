/* core/memory.c - address space from mmap, without reserving memory for it. */
#include "core/memory.h"

#include <assert.h>
#include <sys/mman.h>

void *memory_reserve(size_t count, size_t size)
{
    assert(count > 0 && size > 0);
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return NULL;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

void memory_release(void *memory, size_t count, size_t size)
{
    if (memory != NULL) munmap(memory, count * size);
}
