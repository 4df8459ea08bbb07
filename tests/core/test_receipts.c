/* tests/core/test_receipts.c - keys of publishes: found again, each in its channel, for a time, and not too many. */
#include "core/receipts.h"

#include <criterion/criterion.h>
#include <stdio.h>

static const struct position here = {.offset = 7, .epoch = "k3x9ab2m"};

static struct name channel_named(const char *text)
{
    return name_of(0, text_of(text));
}

static struct text key_of(char memory[16], uint32_t number)
{
    return (struct text){memory, (size_t)snprintf(memory, 16, "key-%u", number)};
}

Test(receipts, are_found_by_channel_and_key, .timeout = 10)
{
    struct receipts *receipts = receipts_new(10);
    struct name a = channel_named("a"), b = channel_named("b"), other_app = name_of(1, text_of("a"));
    struct receipt *receipt = receipts_open(receipts, &a, text_of("key"), 1000);
    cr_assert_not_null(receipt);
    cr_expect(receipt->is_open);
    cr_expect_eq(receipts_find(receipts, &a, text_of("key"), 1000), receipt);
    receipt_close(receipt, &here);
    cr_expect_eq(receipts_find(receipts, &a, text_of("key"), 1000), receipt);
    cr_expect_eq(receipt->position.offset, 7);
    cr_expect_null(receipts_find(receipts, &b, text_of("key"), 1000));
    cr_expect_null(receipts_find(receipts, &other_app, text_of("key"), 1000));
    cr_expect_null(receipts_find(receipts, &a, text_of("ke"), 1000));
    cr_expect_null(receipts_find(receipts, &a, text_of("key "), 1000));
    receipts_forget(receipts, receipt);
    cr_expect_null(receipts_find(receipts, &a, text_of("key"), 1000));
    cr_expect_eq(receipts_count(receipts), 0);
    receipts_free(receipts);
}

Test(receipts, are_forgotten_in_time_but_not_while_they_are_open, .timeout = 10)
{
    struct receipts *receipts = receipts_new(10);
    struct name a = channel_named("a");
    struct receipt *open = receipts_open(receipts, &a, text_of("open"), 1000);
    receipt_close(receipts_open(receipts, &a, text_of("closed"), 1000), &here);
    cr_expect_not_null(receipts_find(receipts, &a, text_of("closed"), 1000 + RECEIPT_MS - 1));
    cr_expect_null(receipts_find(receipts, &a, text_of("closed"), 1000 + RECEIPT_MS));
    cr_expect_eq(receipts_find(receipts, &a, text_of("open"), 1000 + 5 * (uint64_t)RECEIPT_MS), open);
    receipts_free(receipts);
}

Test(receipts, are_bounded_the_oldest_closed_goes_first, .timeout = 20)
{
    enum { MANY = 1000 };
    char memory[16];
    struct receipts *receipts = receipts_new(MANY);
    struct name a = channel_named("a");
    struct receipt *open = receipts_open(receipts, &a, text_of("open"), 1);
    for (uint32_t i = 0; i < 3 * MANY; i++) { /* the table grows on the way */
        struct receipt *receipt = receipts_open(receipts, &a, key_of(memory, i), 2);
        cr_assert_not_null(receipt);
        receipt_close(receipt, &here);
        cr_assert_leq(receipts_count(receipts), MANY);
    }
    cr_expect_eq(receipts_find(receipts, &a, text_of("open"), 2), open);
    for (uint32_t i = 0; i < 3 * MANY; i++) {
        bool is_there = receipts_find(receipts, &a, key_of(memory, i), 2) != NULL;
        cr_expect_eq(is_there, i >= 2 * MANY + 1, "%u", i);
    }
    receipts_free(receipts);
}

Test(receipts, are_refused_when_all_are_open_or_none_may_be, .timeout = 10)
{
    struct receipts *receipts = receipts_new(2), *none = receipts_new(0);
    struct name a = channel_named("a");
    struct receipt *first = receipts_open(receipts, &a, text_of("1"), 1);
    cr_expect_not_null(receipts_open(receipts, &a, text_of("2"), 1));
    cr_expect_null(receipts_open(receipts, &a, text_of("3"), 1));
    receipt_close(first, &here);
    cr_expect_not_null(receipts_open(receipts, &a, text_of("3"), 1));
    cr_expect_null(receipts_find(receipts, &a, text_of("1"), 1));
    cr_expect_null(receipts_open(none, &a, text_of("1"), 1));
    receipts_free(receipts);
    receipts_free(none);
}

Test(receipts, restored_ones_stand_by_age_and_the_oldest_give_way, .timeout = 10)
{
    char memory[16];
    struct receipts *receipts = receipts_new(100);
    struct name channels[] = {channel_named("a"), channel_named("b"), channel_named("c")};
    for (uint32_t c = 0; c < 3; c++) { /* ages 1000 to 1079 in each: the youngest hundred of all stay */
        struct receipt *cursor = NULL;
        for (uint32_t i = 0; i < 80; i++) {
            receipts_restore(receipts, &channels[c], key_of(memory, i), 1000 + i, &here, &cursor);
            cr_assert_leq(receipts_count(receipts), 100);
        }
    }
    cr_expect_eq(receipts_count(receipts), 100);
    for (uint32_t c = 0; c < 3; c++) {
        for (uint32_t i = 0; i < 80; i++) {
            const struct receipt *receipt = receipts_find(receipts, &channels[c], key_of(memory, i), 2000);
            if (i >= 47) cr_expect_not_null(receipt, "channel %u, key %u", c, i);
            if (i < 46) cr_expect_null(receipt, "channel %u, key %u", c, i);
            if (receipt != NULL) cr_expect(!receipt->is_open && receipt->position.offset == 7);
        }
    }
    receipts_free(receipts);
}
