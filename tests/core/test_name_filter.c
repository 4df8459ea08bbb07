/* tests/core/test_name_filter.c - what was added is always found; what was not seldom is, until memory is short. */
#include "core/name.h"
#include "core/name_filter.h"

#include <criterion/criterion.h>
#include <stdio.h>

static uint64_t hash_of(const char *kind, uint32_t number)
{
    char text[32];
    int count = snprintf(text, sizeof text, "%s-%u", kind, number);
    return name_of(0, (struct text){text, (size_t)count}).hash;
}

static uint32_t found(const struct name_filter *filter, const char *kind, uint32_t count)
{
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        found += name_filter_may_have(filter, hash_of(kind, i));
    }
    return found;
}

Test(name_filter, finds_what_was_added_and_seldom_anything_else, .timeout = 60)
{
    struct name_filter filter;
    name_set_key(0x0123456789abcdef, 0xfedcba9876543210);
    name_filter_init(&filter, UINT64_C(1) << 30);
    cr_expect_eq(found(&filter, "a", 1000), 0, "it is empty");
    cr_expect_eq(filter.bytes, 0);
    for (uint32_t count = 0; count < 200000; count++) {
        name_filter_add(&filter, hash_of("a", count));
        name_filter_add(&filter, hash_of("a", count)); /* again costs nothing */
    }
    cr_expect_eq(found(&filter, "a", 200000), 200000);
    uint32_t wrong = found(&filter, "b", 200000);
    cr_expect_leq(wrong, 200000 / 200, "%u", wrong);
    cr_expect_leq(filter.bytes, 4 * 200000);
    name_filter_fini(&filter);
}

/* Shards share names out by the upper half of their hash. */
Test(name_filter, is_as_good_for_the_names_of_one_home, .timeout = 60)
{
    struct name_filter filter;
    name_set_key(1, 2);
    name_filter_init(&filter, UINT64_C(1) << 30);
    uint32_t added = 0, asked = 0, wrong = 0;
    for (uint32_t i = 0; added < 5000; i++) {
        uint64_t hash = hash_of("a", i);
        if ((hash >> 32) % 64 != 7) continue;
        name_filter_add(&filter, hash);
        added++;
    }
    for (uint32_t i = 0; asked < 5000; i++) {
        uint64_t hash = hash_of("b", i);
        if ((hash >> 32) % 64 != 7) continue;
        wrong += name_filter_may_have(&filter, hash);
        asked++;
    }
    cr_expect_leq(wrong, 25, "%u", wrong);
    name_filter_fini(&filter);
}

Test(name_filter, at_its_bound_it_takes_more_for_seen_but_forgets_nothing, .timeout = 60)
{
    struct name_filter filter;
    name_set_key(1, 2);
    name_filter_init(&filter, 20000); /* the first level alone */
    for (uint32_t i = 0; i < 300000; i++) {
        name_filter_add(&filter, hash_of("a", i));
    }
    cr_expect_eq(found(&filter, "a", 300000), 300000);
    cr_expect_gt(found(&filter, "b", 1000), 900);
    cr_expect_leq(filter.bytes, 20000);
    name_filter_fini(&filter);
    cr_expect_eq(filter.bytes, 0);
}
