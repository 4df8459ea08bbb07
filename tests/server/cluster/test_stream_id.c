/* tests/server/cluster/test_stream_id.c - places, as Redis and as clients have them. */
#include "server/cluster/stream_id.h"

#include <criterion/criterion.h>

Test(stream_id, is_printed_and_read, .timeout = 5)
{
    static const struct {
        struct stream_id id;
        const char *text;
    } rows[] = {
        {{1700000000123, 43}, "1700000000123-43"},
        {{0, 0}, "0-0"},
        {{STREAM_EPOCH_MAX, 0}, "2821109907455-0"},
        {{UINT64_MAX, UINT64_MAX}, "18446744073709551615-18446744073709551615"},
        {{99999999999999, 123456789012345678}, "99999999999999-123456789012345678"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char memory[STREAM_ID_BYTES_MAX];
        struct stream_id id;
        cr_expect(text_is(stream_id_write(memory, &rows[i].id), rows[i].text), "%s", memory);
        cr_assert(stream_id_read(text_of(rows[i].text), &id));
        cr_expect_eq(id.epoch, rows[i].id.epoch);
        cr_expect_eq(id.offset, rows[i].id.offset);
    }
}

Test(stream_id, is_nothing_else, .timeout = 5)
{
    static const char *const rows[] = {"",     "-",    "1",     "1-",  "-1",  "1-2 ",
                                       " 1-2", "1--2", "1-2-3", "x-1", "1-x", "+1-2"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stream_id id;
        cr_expect_not(stream_id_read(text_of(rows[i]), &id), "%s", rows[i]);
    }
}

Test(stream_id, is_taken_from_the_front_or_nothing_is, .timeout = 5)
{
    struct text text = text_of("12-3 rest"), other = text_of("12+3");
    struct stream_id id;
    cr_assert(stream_id_take(&text, &id));
    cr_expect_eq(id.epoch, 12);
    cr_expect_eq(id.offset, 3);
    cr_expect(text_is(text, " rest"));
    cr_expect_not(stream_id_take(&other, &id));
    cr_expect(text_is(other, "12+3"));
}

Test(stream_id, has_eight_characters_for_clients, .timeout = 5)
{
    static const struct {
        uint64_t epoch;
        const char *text;
    } rows[] = {
        {1, "00000001"},
        {35, "0000000z"},
        {36, "00000010"},
        {78364164096, "10000000"}, /* 36^7 */
        {1700000000123, "loyw3v5n"},
        {STREAM_EPOCH_MAX, "zzzzzzzz"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct stream_id id = {.epoch = rows[i].epoch, .offset = 7}, back;
        struct position position = stream_id_position(&id);
        cr_expect_str_eq(position.epoch, rows[i].text);
        cr_expect_eq(position.offset, 7);
        cr_assert(stream_id_of_position(&position, &back));
        cr_expect_eq(back.epoch, id.epoch);
        cr_expect_eq(back.offset, 7);
    }
}

Test(stream_id, without_an_epoch_is_no_position, .timeout = 5)
{
    struct stream_id id = {0};
    struct position position = stream_id_position(&id);
    cr_expect_not(position_is_set(&position));
    cr_expect_not(stream_id_of_position(&position, &id));
}

Test(stream_id, is_of_no_position_whose_epoch_has_other_characters, .timeout = 5)
{
    static const char *const rows[] = {"", "0000000", "0000000A", "0000000-", " 0000000", "0000000{", "0000000`"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct position position = {.offset = 1};
        struct stream_id id;
        memcpy(position.epoch, rows[i], strlen(rows[i]));
        cr_expect_not(stream_id_of_position(&position, &id), "%s", rows[i]);
    }
}
