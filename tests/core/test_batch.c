/* tests/core/test_batch.c - where a batch's bytes lie, and what its last drop frees. */
#include "core/batch.h"

#include "core/counters.h"
#include "core/message.h"

#include <criterion/criterion.h>

static struct counters counters;

Test(batch, it_takes_over_the_reference_to_its_message, .timeout = 5)
{
    struct name name = name_of(0, text_of("room"));
    struct message *message = message_new_of(&counters, &name, FORM_RAW, 9);
    struct batch *batch = batch_of_message(message, FORM_RAW, 123);
    cr_expect_eq(message->references, 1);
    cr_expect_eq(batch->bytes, message_frame(message, FORM_RAW));
    cr_expect_eq(batch->count, 9);
    cr_expect_eq(batch->frames, 1);
    cr_expect_eq(batch->made_ms, 123);
    cr_expect_not(batch->is_control);
    batch_hold(batch);
    batch_drop(&counters, batch);
    cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 1);
    batch_drop(&counters, batch);
    cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 0);
}

Test(batch, static_bytes_are_sent_from_where_they_lie, .timeout = 5)
{
    static const char text[] = "static";
    struct batch *batch = batch_of_static(text, 6, 1);
    cr_expect_eq((const char *)batch->bytes, text);
    cr_expect_eq(batch->count, 6);
    cr_expect_eq(batch->frames, 0);
    batch_drop(&counters, batch);
}

Test(batch, own_bytes_have_exactly_the_room_asked_for, .timeout = 5)
{
    static const uint32_t counts[] = {0, 1, 15, 16, 17, 65536};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint8_t *to;
        struct batch *batch = batch_new(counts[i], 5, &to);
        memset(to, 1, counts[i]);
        cr_expect_eq(batch->bytes, to);
        cr_expect_eq(batch->count, counts[i]);
        cr_expect_eq(batch->frames, 0);
        cr_expect_eq(batch->made_ms, 5);
        batch_drop(&counters, batch);
    }
}
