/* tests/server/config/test_spelling.c - a slip finds the name it meant, and anything else finds none. */
#include "server/config/spelling.h"

#include <criterion/criterion.h>

#define NAMES_COUNT 3

static const char *const known[NAMES_COUNT] = {"shards", "members_max", "member_bytes_max"};

static const char *name_at(const void *names, size_t index)
{
    return ((const char *const *)names)[index];
}

static size_t closest_to(struct text given)
{
    return spelling_closest(given, name_at, known, NAMES_COUNT);
}

Test(spelling, closest_name_is_found_with_up_to_a_third_wrong, .timeout = 5)
{
    static const struct {
        const char *given;
        size_t closest;
    } cases[] = {
        {"shards", 0},
        {"shard", 0},
        {"SHARDS", 0},
        {"sharxx", 0},
        {"shaxxx", 3},
        {"member-max", 1},
        {"members_max_", 1},
        {"member_byte_max", 2},
        {"members-bytes", 3},
        {"max_members", 3},
        {"colour", 3},
        {"", 3},
        {"s", 3},
        {"-", 3},
        {"shards_of_glass_", 3},
        {"a name longer than any that there is", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_expect_eq(closest_to(text_of(cases[i].given)), cases[i].closest, "%s", cases[i].given);
    cr_expect_eq(closest_to((struct text){.at = "shardsmembers", .count = 6}), 0);
    cr_expect_eq(spelling_closest(text_of("shards"), name_at, known, 0), 0, "of no names none is near");
}
