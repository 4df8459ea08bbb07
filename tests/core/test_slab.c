/* tests/core/test_slab.c - objects come zeroed and go wiped, blocks come and go, and none stands in a core dump. */
#include "core/slab.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECT_BYTES = 270, OBJECTS = 1000 };

static void *objects[OBJECTS];

static void take_all(struct slab *slab)
{
    for (size_t i = 0; i < OBJECTS; i++) {
        uint8_t *object = objects[i] = slab_take(slab);
        cr_assert_not_null(object);
        cr_assert_eq((uintptr_t)object % 8, 0);
        for (size_t j = 0; j < OBJECT_BYTES; j++)
            cr_assert_eq(object[j], 0, "object %zu, byte %zu", i, j);
        memset(object, (int)(i % 255) + 1, OBJECT_BYTES);
    }
}

static void expect_whole(size_t from, size_t step)
{
    for (size_t i = from; i < OBJECTS; i += step) {
        const uint8_t *object = objects[i];
        for (size_t j = 0; j < OBJECT_BYTES; j++)
            cr_assert_eq(object[j], i % 255 + 1);
    }
}

Test(slab, objects_come_zeroed_and_stand_apart, .timeout = 10)
{
    struct slab slab;
    slab_init(&slab, OBJECT_BYTES);
    cr_expect_eq(slab.blocks, 0, "no memory before the first");
    take_all(&slab);
    expect_whole(0, 1);
    cr_expect_eq(slab.in_use, OBJECTS);
    cr_expect_eq(slab.blocks, (OBJECTS + slab.block_objects - 1) / slab.block_objects);
    for (size_t i = 0; i < OBJECTS; i += 2)
        slab_give(&slab, objects[i]);
    expect_whole(1, 2);
    for (size_t i = 0; i < OBJECTS; i += 2) {
        uint8_t *object = objects[i] = slab_take(&slab);
        for (size_t j = 0; j < OBJECT_BYTES; j++)
            cr_assert_eq(object[j], 0);
    }
    cr_expect_eq(slab.blocks, (OBJECTS + slab.block_objects - 1) / slab.block_objects, "places are used again");
    for (size_t i = 0; i < OBJECTS; i++)
        slab_give(&slab, objects[i]);
    slab_fini(&slab);
    slab_fini(&slab);
}

Test(slab, empty_blocks_go_back_but_for_one, .timeout = 10)
{
    struct slab slab;
    slab_init(&slab, OBJECT_BYTES);
    for (int turn = 0; turn < 3; turn++) {
        take_all(&slab);
        for (size_t i = 0; i < OBJECTS; i++)
            slab_give(&slab, objects[turn == 1 ? OBJECTS - 1 - i : i]);
        cr_expect_eq(slab.in_use, 0);
        cr_expect_eq(slab.blocks, 1);
    }
    void *object = slab_take(&slab); /* who comes and goes at a boundary maps nothing */
    slab_give(&slab, object);
    cr_expect_eq(slab.blocks, 1);
    slab_fini(&slab);
}

Test(slab, an_object_may_be_as_large_as_the_header_says, .timeout = 10)
{
    struct slab slab;
    slab_init(&slab, SLAB_OBJECT_BYTES_MAX);
    for (size_t i = 0; i < 100; i++) {
        objects[i] = slab_take(&slab);
        memset(objects[i], 1, SLAB_OBJECT_BYTES_MAX);
    }
    for (size_t i = 0; i < 100; i++)
        slab_give(&slab, objects[i]);
    slab_fini(&slab);
}

/* Of /proc/self/smaps: is the mapping that holds this address left out of core dumps ("dd")? */
static bool is_left_out_of_dumps(const void *address)
{
    char line[512];
    bool is_in = false, is_out = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    cr_assert_not_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        unsigned long from, to;
        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) is_in = (uintptr_t)address >= from && (uintptr_t)address < to;
        if (is_in && strncmp(line, "VmFlags:", 8) == 0) is_out = strstr(line, " dd") != NULL;
    }
    fclose(file);
    return is_out;
}

Test(slab, no_object_stands_in_a_core_dump, .timeout = 10)
{
    struct slab slab;
    slab_init(&slab, OBJECT_BYTES);
    take_all(&slab);
    for (size_t i = 0; i < OBJECTS; i += 100)
        cr_expect(is_left_out_of_dumps(objects[i]));
    for (size_t i = 0; i < OBJECTS; i++)
        slab_give(&slab, objects[i]);
    slab_fini(&slab);
}
