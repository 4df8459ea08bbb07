/* core/pool.c - reserved space, given out from its start on, and a list of what came back.
 *
 * A fresh object is touched only when nothing has come back, that is when all touched ones are in use: so the place
 * of the first untouched object is the high-water mark. */
#include "core/pool.h"

#include <assert.h>
#include <sanitizer/asan_interface.h> /* its macros do nothing in builds without ASan */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

enum {
    POOL_ALIGNMENT = 16,
    POOL_RUBBISH = 0xdb,
};

/* What a free object holds. */
struct pool_free {
    struct pool_free *next;
};

static void fill_with_rubbish(const struct pool *pool, void *object)
{
#ifdef __OPTIMIZE__
    (void)pool, (void)object;
#else
    memset(object, POOL_RUBBISH, pool->stride_bytes);
#endif
}

static bool is_from_pool(const struct pool *pool, const void *object)
{
    size_t offset = (size_t)((uintptr_t)object - (uintptr_t)pool->objects);
    return offset < pool->high_water * pool->stride_bytes && offset % pool->stride_bytes == 0;
}

static size_t reserved_bytes(const struct pool *pool)
{
    return pool->objects_max * pool->stride_bytes;
}

enum rc pool_init(struct pool *pool, size_t object_bytes, uint32_t objects_max)
{
    *pool = (struct pool){0};
    if (object_bytes == 0 || objects_max == 0) return RC_EINVAL;
    size_t stride_bytes, bytes;
    if (__builtin_add_overflow(object_bytes, POOL_ALIGNMENT - 1, &stride_bytes)) return RC_ENOMEM;
    stride_bytes -= stride_bytes % POOL_ALIGNMENT;
    if (__builtin_mul_overflow(stride_bytes, objects_max, &bytes)) return RC_ENOMEM;

    void *objects = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (objects == MAP_FAILED) return RC_ENOMEM;
    *pool = (struct pool){.objects = objects, .stride_bytes = stride_bytes, .objects_max = objects_max};
    return RC_OK;
}

void pool_fini(struct pool *pool)
{
    assert(pool->in_use == 0);
    if (pool->objects != NULL) {
        /* The kernel may give the addresses to somebody else. */
        ASAN_UNPOISON_MEMORY_REGION(pool->objects, pool->high_water * pool->stride_bytes);
        munmap(pool->objects, reserved_bytes(pool));
    }
    *pool = (struct pool){0};
}

void *pool_take(struct pool *pool)
{
    assert(pool->in_use <= pool->high_water);
    void *object = pool->free;
    if (object != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(object, pool->stride_bytes);
        pool->free = pool->free->next;
    } else if (pool->high_water < pool->objects_max) {
        object = pool->objects + pool->high_water * pool->stride_bytes;
        pool->high_water++;
    } else {
        return NULL;
    }
    pool->in_use++;
    fill_with_rubbish(pool, object);
    return object;
}

void pool_give(struct pool *pool, void *object)
{
    assert(is_from_pool(pool, object));
    assert(pool->in_use > 0);
    fill_with_rubbish(pool, object);
    struct pool_free *free = object;
    free->next = pool->free;
    pool->free = free;
    pool->in_use--;
    ASAN_POISON_MEMORY_REGION(object, pool->stride_bytes);
}
