/* tests/server/cluster/test_push.c - what Redis pushes is read whole or not at all. */
#include "server/cluster/push.h"

#include <criterion/criterion.h>

static struct push read_good(const char *text)
{
    struct push push;
    cr_assert_eq(push_read(text_of(text), &push), RC_OK, "%s", text);
    return push;
}

Test(push, of_records_says_where_they_are, .timeout = 5)
{
    struct push push = read_good("1700000000123-42 1700000000456 2 first second");
    cr_expect_eq(push.kind, PUSH_RECORDS);
    cr_expect_eq(push.id.epoch, 1700000000123);
    cr_expect_eq(push.id.offset, 42);
    cr_expect_eq(push.time_ms, 1700000000456);
    cr_expect_eq(push.count, 2);
    cr_expect(text_is(push.rest, "first second"));
}

Test(push, of_records_without_history_is_what_a_node_writes, .timeout = 5)
{
    char memory[PUSH_HEAD_BYTES_MAX];
    cr_expect(text_is(push_head_write(memory, UINT32_MAX), "0-0 0 4294967295 "));
    cr_expect(text_is(push_head_write(memory, 2), "0-0 0 2 "));
    struct push push = read_good("0-0 0 2 ");
    cr_expect_eq(push.kind, PUSH_RECORDS);
    cr_expect_eq(push.id.epoch, 0);
    cr_expect_eq(push.count, 2);
}

static void expect_member(struct push *push, const char *user, const char *info)
{
    struct text user_read, info_read;
    cr_assert_eq(push_take_member(push, &user_read, &info_read), RC_OK, "%s", user);
    cr_expect(text_is(user_read, user), "%.*s", (int)user_read.count, user_read.at);
    cr_expect(text_is(info_read, info), "%.*s", (int)info_read.count, info_read.at);
}

static void expect_end(struct push *push, enum rc rc)
{
    struct text user, info;
    cr_expect_eq(push_take_member(push, &user, &info), rc);
}

Test(push, of_members_has_ids_with_anything_in_them, .timeout = 5)
{
    struct push push = read_good("+ 1700000000123001 2 3 ann 2 {} 5 4 b 1 0  ");
    cr_expect_eq(push.kind, PUSH_JOINED);
    cr_expect_eq(push.version, 1700000000123001);
    cr_expect_eq(push.count, 2);
    expect_member(&push, "ann", "{}");
    expect_member(&push, "4 b 1", "");
    expect_end(&push, RC_ENOENT);
    push = read_good("- 7 2 3 ann 6 + 7 1  ");
    cr_expect_eq(push.kind, PUSH_LEFT);
    cr_expect_eq(push.version, 7);
    expect_member(&push, "ann", "");
    expect_member(&push, "+ 7 1 ", "");
    expect_end(&push, RC_ENOENT);
    push = read_good("+ 1 1 3 ann 2 {}");
    expect_member(&push, "ann", "{}");
    expect_end(&push, RC_ENOENT);
}

Test(push, of_members_that_are_cut_is_told_when_they_are_taken, .timeout = 5)
{
    static const char *const rows[] = {"+ 1 2 ",
                                       "+ 1 2 3 an",
                                       "+ 1 2 3 ann",
                                       "+ 1 2 3 ann 2 {",
                                       "+ 1 2 x",
                                       "+ 1 2 3 ann 2 {}5 ",
                                       "+ 1 2 18446744073709551615 ann 0 ",
                                       "- 1 2 3 ann"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct push push = read_good(rows[i]);
        expect_end(&push, RC_EINVAL);
    }
    struct push push = read_good("- 1 2 3 ann ");
    expect_member(&push, "ann", "");
    expect_end(&push, RC_EINVAL);
}

Test(push, of_a_count_is_the_sum, .timeout = 5)
{
    struct push push = read_good("= 100004 ");
    cr_expect_eq(push.kind, PUSH_COUNT);
    cr_expect_eq(push.count, 100004);
}

Test(push, is_nothing_else, .timeout = 5)
{
    static const char *const rows[] = {
        "",          " ",   "x",    "1-1",      "1-1 ",  "1-1 2",  "1-1 2 ",   "1-1 2 3",  "1 2 3 ",
        "1-1  2 3 ", "+",   "+ ",   "+1 1 ",    "+ 1",   "+ 1 ",   "+ 1 1",    "- 1 1",    "-1 1 ",
        "= ",        "= 1", "= x ", "= 1 more", "= 1  ", "* 1 1 ", "1-1 x 3 ", "1-1 2 x ",
    };
    struct push push;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_eq(push_read(text_of(rows[i]), &push), RC_EINVAL, "%s", rows[i]);
    }
}
