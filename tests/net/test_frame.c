/* tests/net/test_frame.c - headers of every length class, masks at every phase and alignment, close payloads. */
#include "net/frame.h"

#include <criterion/criterion.h>
#include <string.h>

Test(frame, headers_take_the_shortest_form, .timeout = 5)
{
    static const struct {
        enum frame_opcode opcode;
        uint64_t length;
        size_t count;
        uint8_t bytes[10];
    } rows[] = {
        {FRAME_TEXT, 0, 2, {0x81, 0}},
        {FRAME_PING, 125, 2, {0x89, 125}},
        {FRAME_TEXT, 125, 2, {0x81, 125}},
        {FRAME_TEXT, 126, 4, {0x81, 126, 0, 126}},
        {FRAME_BINARY, 256, 4, {0x82, 126, 1, 0}}, /* RFC 6455 5.7 */
        {FRAME_BINARY, 65535, 4, {0x82, 126, 0xff, 0xff}},
        {FRAME_BINARY, 65536, 10, {0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}}, /* RFC 6455 5.7 */
        {FRAME_BINARY, INT64_MAX, 10, {0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
        {FRAME_CLOSE, 2, 2, {0x88, 2}},
        {FRAME_PONG, 0, 2, {0x8a, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[FRAME_HEADER_BYTES_MAX];
        cr_assert_eq(frame_header_write(bytes, rows[i].opcode, rows[i].length), rows[i].count, "row %zu", i);
        cr_expect_arr_eq(bytes, rows[i].bytes, rows[i].count, "row %zu", i);
    }
}

Test(frame, the_mask_comes_off_at_every_phase_alignment_and_length, .timeout = 10)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d}; /* RFC 6455 5.7 */
    uint32_t mask;
    memcpy(&mask, key, sizeof mask);
    for (uint32_t phase = 0; phase < 9; phase++) {
        for (size_t offset = 0; offset < 8; offset++) {
            for (size_t count = 0; count < 40; count++) {
                uint8_t bytes[64], expected[64];
                for (size_t i = 0; i < sizeof bytes; i++)
                    bytes[i] = expected[i] = (uint8_t)(i * 7 + 1);
                for (size_t i = 0; i < count; i++)
                    expected[offset + i] ^= key[(phase + i) % 4];
                frame_unmask(bytes + offset, count, mask, phase);
                cr_assert_arr_eq(bytes, expected, sizeof bytes, "phase %u offset %zu count %zu", phase, offset,
                                 count);
            }
        }
    }
}

Test(frame, a_close_payload_holds_code_and_reason_cut_between_characters, .timeout = 5)
{
    uint8_t bytes[FRAME_CONTROL_BYTES_MAX];
    cr_expect_eq(frame_close_write(bytes, 0, "never sent"), 0);
    cr_expect_eq(frame_close_write(bytes, 1001, NULL), 2);
    cr_expect_eq(frame_close_write(bytes, 1001, "bye"), 5);
    cr_expect_arr_eq(bytes,
                     "\x03\xe9"
                     "bye",
                     5);

    char reason[200]; /* 122 letters and a two-byte character: one byte of it would fit */
    memset(reason, 'x', sizeof reason);
    memcpy(reason + 122, "\xc3\xa4", 3);
    cr_expect_eq(frame_close_write(bytes, 1002, reason), 2 + 122);
    memcpy(reason + 121, "\xc3\xa4", 3);
    cr_expect_eq(frame_close_write(bytes, 1002, reason), 2 + 123);
    uint16_t code = 0;
    cr_expect_eq(frame_close_read(bytes, 125, &code), CLOSE_PEER_CLOSED);
    cr_expect_eq(code, 1002);
}

Test(frame, only_codes_that_may_be_sent_are_taken, .timeout = 5)
{
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        bool good =
            (code >= 1000 && code < 5000) && !(code >= 1004 && code <= 1006) && !(code >= 1015 && code < 3000);
        uint8_t payload[2] = {(uint8_t)(code >> 8), (uint8_t)code};
        uint16_t read = 1;
        enum close_reason reason = frame_close_read(payload, 2, &read);
        cr_assert_eq(reason, good ? CLOSE_PEER_CLOSED : CLOSE_BAD_FRAME, "code %u", code);
        cr_assert_eq(read, good ? code : 1, "code %u", code);
    }
}

Test(frame, close_payloads_are_judged_whole, .timeout = 5)
{
    static const struct {
        const char *payload;
        size_t count;
        enum close_reason reason;
        uint16_t code;
    } rows[] = {
        {"", 0, CLOSE_PEER_CLOSED, 1005},
        {"\x03", 1, CLOSE_BAD_FRAME, 7},
        {"\x03\xe8", 2, CLOSE_PEER_CLOSED, 1000},
        {"\x03\xe8gr\xc3\xbc\xc3\x9f", 8, CLOSE_PEER_CLOSED, 1000},
        {"\x03\xe8gr\xc3", 5, CLOSE_BAD_TEXT, 7}, /* cut inside a character */
        {"\x03\xe8\xff", 3, CLOSE_BAD_TEXT, 7},
        {"\x03\xed\xff", 3, CLOSE_BAD_FRAME, 7}, /* 1005: the code is looked at first */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint16_t code = 7;
        cr_expect_eq(frame_close_read((const uint8_t *)rows[i].payload, rows[i].count, &code), rows[i].reason,
                     "row %zu", i);
        cr_expect_eq(code, rows[i].code, "row %zu", i);
    }
}
