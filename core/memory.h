/* core/memory.h - large arrays that cost memory only where they are touched. */
#pragma once

#include <stddef.h>

/* Zeroed, page-aligned address space of count * size bytes; NULL: refused. Give it back with memory_release(). */
void *memory_reserve(size_t count, size_t size);
/* Accepts NULL. */
void memory_release(void *memory, size_t count, size_t size);
