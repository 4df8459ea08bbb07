/* core/secret.c - pages of their own, with their number in front. */
#include "core/secret.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STACK_BYTES = 16 * 1024 };

/* In front of what the caller gets. */
struct block {
    size_t bytes;
    max_align_t contents[];
};

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *secret_new(size_t bytes)
{
    size_t page = page_bytes();
    if (bytes > SIZE_MAX - sizeof(struct block) - page) return NULL;
    size_t all = (sizeof(struct block) + bytes + page - 1) / page * page;
    struct block *block = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) return NULL;
    madvise(block, all, MADV_DONTDUMP);
    block->bytes = all;
    return block->contents;
}

void secret_free(void *secret)
{
    if (secret == NULL) return;
    struct block *block = (struct block *)((uint8_t *)secret - offsetof(struct block, contents));
    size_t bytes = block->bytes;
    explicit_bzero(block, bytes);
    munmap(block, bytes);
}

void secret_hide(const void *memory, size_t bytes)
{
    uintptr_t page = page_bytes(), begin = (uintptr_t)memory / page * page;
    if (memory == NULL || bytes == 0) return;
    madvise((void *)begin, (uintptr_t)memory + bytes - begin, MADV_DONTDUMP);
}

/* Not inlined: its frame has to lie where theirs lay, from the top on, where ASan would set a zone of its own. */
__attribute__((noinline, no_sanitize("address"))) void secret_wipe_stack(void)
{
    uint8_t below[STACK_BYTES];
    explicit_bzero(below, sizeof below);
}
