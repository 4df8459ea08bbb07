/* tests/core/test_history.c - the window: what is in it, what it remembers of what is not. */
#include "core/history.h"

#include "core/counters.h"

#include <criterion/criterion.h>

static struct counters counters;

static struct message *message_at(uint64_t offset, uint64_t time_ms)
{
    struct name channel = name_of(0, text_of("a"));
    struct message *message = message_new_of(&counters, &channel, FORM_EVENT, 10);
    message->offset = offset;
    message->time_ms = time_ms;
    return message;
}

static void append(struct history *history, uint64_t offset, uint64_t time_ms)
{
    cr_assert_eq(history_append(history, message_at(offset, time_ms)), RC_OK);
}

static void expect_window(const struct history *history, uint64_t first, uint64_t last)
{
    cr_expect_eq(history->count, last - first + 1);
    for (uint32_t i = 0; i < history->count; i++) {
        cr_expect_eq(history_at(history, i)->offset, first + i);
    }
}

static void expect_all_given_back(struct history *history)
{
    history_fini(history, &counters);
    cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 0);
}

Test(history, keeps_the_last_of_all_that_is_appended, .timeout = 10)
{
    static const struct history_bounds bounds = {.messages = 10, .bytes = UINT64_MAX, .ttl_ms = UINT32_MAX};
    struct history history = {0};
    for (uint64_t offset = 1; offset <= 1000; offset++) { /* the ring goes round many times */
        append(&history, offset, offset);
        history_trim(&history, &counters, &bounds, 1);
        expect_window(&history, offset > 10 ? offset - 9 : 1, offset);
        cr_expect_eq(history.bytes, history.count * history_message_bytes(history_at(&history, 0)));
        cr_expect_eq(history.forgotten, offset > 10 ? offset - 10 : 0);
        cr_expect_eq(history.last.offset, offset);
    }
    expect_all_given_back(&history);
}

Test(history, is_bounded_in_bytes_and_time_too, .timeout = 10)
{
    struct history history = {0};
    for (uint64_t offset = 1; offset <= 20; offset++) {
        append(&history, offset, 1000 + offset);
    }
    uint64_t one = history_message_bytes(history_at(&history, 0));
    struct history_bounds bounds = {.messages = 100, .bytes = 15 * one + one / 2, .ttl_ms = 100};
    history_trim(&history, &counters, &bounds, 1010);
    expect_window(&history, 6, 20);
    history_trim(&history, &counters, &bounds, 1100 + 9); /* 1009 is 100 ms old, 1010 is not yet */
    expect_window(&history, 10, 20);
    history_trim(&history, &counters, &bounds, UINT64_MAX / 2);
    cr_expect_eq(history.count, 0);
    cr_expect_eq(history.bytes, 0);
    cr_expect_eq(history.forgotten, 20);
    append(&history, 21, 1);
    expect_window(&history, 21, 21);
    expect_all_given_back(&history);
}

Test(history, finds_what_is_behind_an_offset_across_gaps, .timeout = 10)
{
    static const uint64_t offsets[] = {3, 4, 8, 9, 20};
    struct history history = {0};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        append(&history, offsets[i], 1);
    }
    for (uint64_t offset = 0; offset <= 25; offset++) {
        uint32_t wanted = 0;
        while (wanted < history.count && offsets[wanted] <= offset) {
            wanted++;
        }
        cr_expect_eq(history_behind(&history, offset), wanted, "behind %d", (int)offset);
    }
    cr_expect_eq(history_behind(&history, UINT64_MAX), history.count);
    expect_all_given_back(&history);
}

Test(history, says_whether_all_behind_an_offset_is_there, .timeout = 10)
{
    struct history history = {0};
    for (uint64_t offset = 1; offset <= 10; offset++) {
        append(&history, offset, 1);
    }
    cr_expect(history_has_all_behind(&history, 0));
    history_forget_oldest(&history, &counters);
    history_forget_oldest(&history, &counters);
    for (uint64_t offset = 0; offset <= 12; offset++) {
        cr_expect_eq(history_has_all_behind(&history, offset), offset >= 2 && offset <= 10, "%d", (int)offset);
    }
    history_skip(&history, 11);
    for (uint64_t offset = 0; offset <= 12; offset++) {
        cr_expect_eq(history_has_all_behind(&history, offset), offset == 11, "%d", (int)offset);
    }
    append(&history, 12, 1);
    cr_expect(history_has_all_behind(&history, 11) && history_has_all_behind(&history, 12));
    cr_expect_not(history_has_all_behind(&history, 10), "11 is missing");
    expect_all_given_back(&history);
}

/* What the store has is put back one after the other, under a last offset that is known before. */
Test(history, what_is_passed_over_takes_no_offset_back, .timeout = 10)
{
    struct history history = {.last.offset = 20, .forgotten = 4};
    append(&history, 5, 1);
    history_skip(&history, 8);
    append(&history, 9, 1);
    cr_expect_eq(history.last.offset, 20);
    cr_expect(history_has_all_behind(&history, 8) && !history_has_all_behind(&history, 7));
    history_skip(&history, 7);
    cr_expect_eq(history.last.offset, 20);
    cr_expect(history_has_all_behind(&history, 8));
    expect_all_given_back(&history);
}

/* Goal: a message that was stamped with another year stays no longer than those behind it, and keeps none of them. */
Test(history, what_is_ahead_of_the_clock_goes_with_what_came_next, .timeout = 10)
{
    const uint64_t year = UINT64_C(365) * 24 * 3600 * 1000, now = 10 * year;
    struct history_bounds bounds = {.messages = 1000, .bytes = UINT64_MAX, .ttl_ms = 1000};
    struct history history = {0};
    append(&history, 1, now);
    for (uint64_t offset = 2; offset <= 50; offset++) {
        append(&history, offset, now + year);
    }
    cr_expect_eq(history_expires_ms(&history, 1000, now), now + 1000);
    history_trim(&history, &counters, &bounds, now + 1000);
    expect_window(&history, 2, 50);
    cr_expect_eq(history_expires_ms(&history, 1000, now + 1000), now + year + 1000);
    append(&history, 51, now + 500);
    append(&history, 52, now + 600);
    cr_expect_eq(history_expires_ms(&history, 1000, now + 1000), now + 1500);
    history_trim(&history, &counters, &bounds, now + 1499);
    expect_window(&history, 2, 52);
    history_trim(&history, &counters, &bounds, now + 1500);
    expect_window(&history, 52, 52);
    append(&history, 53, now + 1500 + HISTORY_AHEAD_MS); /* no further ahead than a clock may be set back */
    append(&history, 54, now + 1500);
    history_trim(&history, &counters, &bounds, now + 2500);
    expect_window(&history, 53, 54);
    expect_all_given_back(&history);
}
