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
