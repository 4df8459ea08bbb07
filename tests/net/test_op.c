/* tests/net/test_op.c - kind, life and slot come back from user_data as they went in. */
#include "net/op.h"

#include <criterion/criterion.h>

Test(op, what_is_packed_comes_out_again, .timeout = 5)
{
    static const uint32_t lives[] = {0, 1, 0x800000, 0xfffffe, OP_LIFE_MASK};
    static const uint32_t slots[] = {0, 1, 0x7fffffff, 0x80000000, UINT32_MAX};
    for (enum op_kind kind = 0; kind < OP_KINDS_MAX; kind++) {
        for (size_t l = 0; l < 5; l++) {
            for (size_t s = 0; s < 5; s++) {
                uint64_t packed = op_pack(kind, lives[l], slots[s]);
                cr_expect_eq(op_kind(packed), kind);
                cr_expect_eq(op_life(packed), lives[l]);
                cr_expect_eq(op_slot(packed), slots[s]);
            }
        }
    }
}

Test(op, a_life_beyond_24_bits_does_not_touch_the_kind, .timeout = 5)
{
    uint64_t packed = op_pack(OP_RECEIVE, OP_LIFE_MASK + 5, 7);
    cr_expect_eq(op_kind(packed), OP_RECEIVE);
    cr_expect_eq(op_life(packed), 4);
    cr_expect_eq(op_slot(packed), 7);
}

Test(op, every_kind_has_a_name_of_its_own, .timeout = 5)
{
    for (enum op_kind kind = 0; kind < OP_KINDS_MAX; kind++) {
        cr_expect_str_neq(op_name(kind), op_name(OP_KINDS_MAX), "kind %d", kind);
        for (enum op_kind other = 0; other < kind; other++) {
            cr_expect_str_neq(op_name(kind), op_name(other));
        }
    }
}
