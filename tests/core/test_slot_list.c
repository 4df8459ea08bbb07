/* tests/core/test_slot_list.c - room for every slot from the start, for the price of those used. */
#include "core/slot_list.h"

#include <criterion/criterion.h>
#include <signal.h>

Test(slot_list, it_has_room_for_every_slot, .timeout = 5)
{
    struct slot_list list;
    cr_assert_eq(slot_list_init(&list, 10000), RC_OK);
    cr_expect_eq(list.count, 0);
    for (uint32_t slot = 0; slot < 10000; slot++) {
        slot_list_add(&list, 9999 - slot);
    }
    cr_expect_eq(list.count, 10000);
    cr_expect_eq(list.slots[0], 9999);
    cr_expect_eq(list.slots[9999], 0);
    slot_list_fini(&list);
    cr_expect_null(list.slots);
    slot_list_fini(&list);
}

Test(slot_list, one_more_than_there_are_slots_is_our_bug, .timeout = 5, .signal = SIGABRT)
{
    struct slot_list list;
    cr_assert_eq(slot_list_init(&list, 1), RC_OK);
    slot_list_add(&list, 0);
    slot_list_add(&list, 0);
}

Test(slot_queue, gives_back_in_order_round_and_round, .timeout = 5)
{
    struct slot_queue queue;
    cr_assert_eq(slot_queue_init(&queue, 7), RC_OK);
    uint32_t next = 0, wanted = 0;
    for (uint32_t round = 0; round < 100; round++) {
        while (queue.count < 7 && next < wanted + 1 + round % 7) {
            cr_assert(slot_queue_add(&queue, next++));
        }
        for (uint32_t n = 0; n < queue.count; n++) {
            cr_assert_eq(slot_queue_at(&queue, n), wanted + n);
        }
        for (uint32_t taken = round % 3; taken < 3 && queue.count > 0; taken++) {
            cr_assert_eq(slot_queue_take(&queue), wanted++);
        }
    }
    while (slot_queue_add(&queue, 1)) {
    }
    cr_expect_eq(queue.count, 7, "full is told, nothing is lost");
    slot_queue_fini(&queue);
    cr_expect_null(queue.slots);
}
