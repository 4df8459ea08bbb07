/* tests/core/test_pool.c - a pool gives each object to one holder, the hot ones first, and touches no others. */
#include "core/pool.h"

#include <criterion/criterion.h>
#include <sanitizer/asan_interface.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

Test(pool, objects_are_apart_aligned_and_as_large_as_asked, .timeout = 5)
{
    static const size_t sizes[] = {1, 8, 15, 16, 17, 64, 100, 192, 4096, 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pool pool;
        cr_assert_eq(pool_init(&pool, sizes[i], 8), RC_OK);
        uint8_t *objects[8];
        for (size_t n = 0; n < 8; n++) {
            objects[n] = pool_take(&pool);
            cr_assert_not_null(objects[n]);
            cr_expect_eq((uintptr_t)objects[n] % (sizes[i] % 64 == 0 ? 64 : 16), 0);
            memset(objects[n], (int)n, sizes[i]);
        }
        for (size_t n = 0; n < 8; n++) {
            cr_expect(objects[n][0] == n && objects[n][sizes[i] - 1] == n, "object %zu of %zu bytes", n, sizes[i]);
            pool_give(&pool, objects[n]);
        }
        pool_fini(&pool);
    }
}

Test(pool, an_empty_pool_says_so_and_recovers, .timeout = 5)
{
    struct pool pool;
    cr_assert_eq(pool_init(&pool, 32, 2), RC_OK);
    void *first = pool_take(&pool), *second = pool_take(&pool);
    cr_assert(first != NULL && second != NULL && first != second);
    cr_expect_null(pool_take(&pool));
    cr_expect_null(pool_take(&pool));
    pool_give(&pool, first);
    cr_expect_eq(pool_take(&pool), first);
    cr_expect_null(pool_take(&pool));
    pool_give(&pool, first);
    pool_give(&pool, second);
    pool_fini(&pool);
}

Test(pool, the_last_given_back_is_the_first_taken, .timeout = 5)
{
    struct pool pool;
    cr_assert_eq(pool_init(&pool, 48, 100), RC_OK);
    void *objects[3];
    for (int i = 0; i < 3; i++)
        objects[i] = pool_take(&pool);
    for (int i = 0; i < 3; i++)
        pool_give(&pool, objects[i]);
    for (int i = 2; i >= 0; i--)
        cr_expect_eq(pool_take(&pool), objects[i]);
    for (int i = 0; i < 3; i++)
        pool_give(&pool, objects[i]);
    pool_fini(&pool);
}

Test(pool, high_water_stays_where_use_was_highest, .timeout = 5)
{
    struct pool pool;
    cr_assert_eq(pool_init(&pool, 16, 10), RC_OK);
    cr_expect_eq(pool_high_water(&pool), 0);
    void *objects[5];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5; i++)
            objects[i] = pool_take(&pool);
        cr_expect_eq(pool_in_use(&pool), 5);
        for (int i = 0; i < 5; i++)
            pool_give(&pool, objects[i]);
        cr_expect_eq(pool_in_use(&pool), 0);
        cr_expect_eq(pool_high_water(&pool), 5);
    }
    pool_fini(&pool);
}

/* Method: mincore() tells which pages of the reserved space have memory behind them. */
Test(pool, untouched_objects_cost_no_memory, .timeout = 10)
{
    const size_t page_bytes = 4096, objects_max = 1000;
    struct pool pool;
    cr_assert_eq(pool_init(&pool, page_bytes, (uint32_t)objects_max), RC_OK);
    cr_assert_eq(madvise(pool.objects, objects_max * page_bytes, MADV_NOHUGEPAGE), 0);
    uint8_t *objects[3];
    for (int i = 0; i < 3; i++)
        memset(objects[i] = pool_take(&pool), 1, page_bytes);

    unsigned char resident[1000];
    cr_assert_eq(mincore(pool.objects, objects_max * page_bytes, resident), 0);
    size_t pages = 0;
    for (size_t i = 0; i < objects_max; i++)
        pages += resident[i] & 1;
    cr_expect_eq(pages, 3, "%zu pages", pages);
    for (int i = 0; i < 3; i++)
        pool_give(&pool, objects[i]);
    pool_fini(&pool);
}

#ifdef __SANITIZE_ADDRESS__
Test(pool, a_free_object_is_out_of_bounds_under_asan, .timeout = 5)
{
    struct pool pool;
    cr_assert_eq(pool_init(&pool, 32, 4), RC_OK);
    uint8_t *freed = pool_take(&pool), *held = pool_take(&pool);
    pool_give(&pool, freed);
    cr_expect_eq(__asan_region_is_poisoned(freed, 32), freed);
    cr_expect(__asan_address_is_poisoned(freed + 31));
    cr_expect_null(__asan_region_is_poisoned(held, 32));
    cr_expect_eq(pool_take(&pool), freed);
    cr_expect_null(__asan_region_is_poisoned(freed, 32), "taken again");
    pool_give(&pool, freed);
    pool_give(&pool, held);
    pool_fini(&pool);
    cr_expect_null(__asan_region_is_poisoned(freed, 32), "the addresses may be somebody else's now");
}
#endif

Test(pool, senseless_and_impossible_sizes_are_refused, .timeout = 5)
{
    static const struct {
        size_t object_bytes;
        uint32_t objects_max;
        enum rc rc;
    } cases[] = {
        {0, 1, RC_EINVAL},
        {1, 0, RC_EINVAL},
        {SIZE_MAX, 1, RC_ENOMEM},            /* rounding up wraps */
        {SIZE_MAX / 2, 16, RC_ENOMEM},       /* the product wraps */
        {SIZE_MAX / 4 & ~0xf, 1, RC_ENOMEM}, /* more than there are addresses */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pool pool;
        memset(&pool, 0xff, sizeof pool);
        cr_expect_eq(pool_init(&pool, cases[i].object_bytes, cases[i].objects_max), cases[i].rc, "case %zu", i);
        cr_expect_null(pool_take(&pool), "a pool that failed to start is empty");
        pool_fini(&pool);
    }
}

Test(pool, fini_accepts_a_zeroed_pool_twice, .timeout = 5)
{
    struct pool pool = {0};
    pool_fini(&pool);
    pool_fini(&pool);
    cr_expect_null(pool.objects);
}

Test(pool, an_object_not_given_back_is_our_bug, .timeout = 5, .signal = SIGABRT)
{
    struct pool pool;
    cr_assert_eq(pool_init(&pool, 16, 4), RC_OK);
    pool_take(&pool);
    pool_fini(&pool);
}

Test(pool, giving_what_is_not_an_object_of_the_pool_is_our_bug, .timeout = 5, .signal = SIGABRT)
{
    struct pool pool;
    cr_assert_eq(pool_init(&pool, 32, 4), RC_OK);
    uint8_t *object = pool_take(&pool);
    pool_give(&pool, object + 16);
}
