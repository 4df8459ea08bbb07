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
    struct receipts *receipts = receipts_new(2 * MANY); /* half of them, for these are all of one kind */
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
    struct receipts *receipts = receipts_new(4), *none = receipts_new(0);
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
    struct receipts *receipts = receipts_new(200);
    struct name channels[] = {channel_named("a"), channel_named("b"), channel_named("c")};
    for (uint32_t c = 0; c < 3; c++) { /* ages 1000 to 1079 in each: the youngest hundred of all stay */
        struct receipt *cursors[RECEIPT_OWNERS_MAX] = {NULL};
        for (uint32_t i = 0; i < 80; i++) {
            receipts_restore(receipts, &channels[c], key_of(memory, i), 1000 + i, &here, cursors);
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

static void expect_found(struct receipts *receipts, const struct name *channel, char letter, uint32_t first,
                         uint32_t count)
{
    char memory[16];
    for (uint32_t i = 0; i < count; i++) {
        size_t bytes = (size_t)snprintf(memory, sizeof memory, "%c%u", letter, i);
        bool is_there = receipts_find(receipts, channel, (struct text){memory, bytes}, 5000) != NULL;
        cr_expect_eq(is_there, i >= first, "%s", memory);
    }
}

Test(receipts, of_clients_and_of_backends_do_not_push_each_other_out, .timeout = 20)
{
    enum { MANY = 1001 };
    static const struct {
        char few, many;
    } cases[] = {{RECEIPT_LETTER_BACKEND, RECEIPT_LETTER_CLIENT}, {RECEIPT_LETTER_CLIENT, RECEIPT_LETTER_BACKEND}};
    for (size_t c = 0; c < 2; c++) {
        for (int restored = 0; restored < 2; restored++) {
            char memory[16];
            struct receipts *receipts = receipts_new(1000);
            struct receipt *cursors[RECEIPT_OWNERS_MAX] = {NULL};
            struct name a = channel_named("a");
            for (uint32_t i = 0; i < MANY + 2; i++) {
                bool is_few = i < 2;
                size_t bytes = (size_t)snprintf(memory, sizeof memory, "%c%u", is_few ? cases[c].few : cases[c].many,
                                                is_few ? i : i - 2);
                struct text key = {memory, bytes};
                if (restored) {
                    receipts_restore(receipts, &a, key, 1000 + i, &here, cursors);
                } else {
                    receipt_close(receipts_open(receipts, &a, key, 1000 + i), &here);
                }
            }
            cr_expect_eq(receipts_count(receipts), 502);
            expect_found(receipts, &a, cases[c].few, 0, 2);
            expect_found(receipts, &a, cases[c].many, MANY - 500, MANY);
            receipts_free(receipts);
        }
    }
}

Test(receipts, of_one_in_all_each_kind_has_one, .timeout = 10)
{
    struct receipts *receipts = receipts_new(1);
    struct name a = channel_named("a");
    cr_expect_not_null(receipts_open(receipts, &a, text_of("b1"), 1));
    cr_expect_not_null(receipts_open(receipts, &a, text_of("c1"), 1));
    cr_expect_null(receipts_open(receipts, &a, text_of("c2"), 1));
    receipts_free(receipts);
}
