/* tests/bench/load/test_reader.c - a server's frames come out the same wherever the input is cut,
 * and bad ones are named. */
#include "bench/load/reader.h"

#include <criterion/criterion.h>

#define STREAM_MAX 70000

/* What a stream is expected to say: one letter for each event. */
static void write_events(struct reader *reader, struct bytes in, char *events, size_t size)
{
    size_t count = strlen(events);
    for (enum reader_event event; (event = reader_next(reader, &in)) != READER_MORE;) {
        cr_assert_lt(count + 1, size);
        events[count++] = event == READER_MESSAGE ? 'm'
                          : event == READER_PING  ? 'p'
                          : event == READER_CLOSE ? 'c'
                                                  : 'b';
        events[count] = '\0';
        if (event == READER_BAD) return;
    }
}

static size_t write_message(uint8_t *to, uint32_t sequence, size_t payload_bytes, size_t offset, uint8_t first)
{
    size_t count = frame_header_write(to, FRAME_TEXT, payload_bytes);
    to[0] = first;
    struct stamp stamp = {.publisher = 1, .sequence = sequence};
    filler_write(to + count, payload_bytes, offset);
    if (offset == 0) stamp_write(to + count, &stamp);
    return count + payload_bytes;
}

/* Sizes around each form of a header, fragments with a ping in between, an empty fragment, a close. */
static size_t write_stream(uint8_t *to)
{
    static const size_t sizes[] = {32, 64, 125, 126, 300};
    static const uint8_t ping[] = {0x89, 2, 'h', 'i'}, pong[] = {0x8a, 0}, close[] = {0x88, 2, 0x03, 0xe8};
    size_t count = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        count += write_message(to + count, (uint32_t)i, sizes[i], 0, 0x81);
    }
    count += write_message(to + count, 5, 40, 0, 0x01);
    memcpy(to + count, ping, sizeof ping);
    count += sizeof ping;
    count += write_message(to + count, 5, 20, 40, 0x00);
    count += write_message(to + count, 5, 0, 60, 0x80);
    memcpy(to + count, pong, sizeof pong);
    count += sizeof pong;
    memcpy(to + count, close, sizeof close);
    return count + sizeof close;
}

Test(reader, says_the_same_wherever_input_is_cut, .timeout = 20)
{
    static uint8_t stream[STREAM_MAX];
    filler_prepare();
    size_t count = write_stream(stream);
    for (size_t cut = 0; cut <= count; cut++) {
        struct reader reader;
        struct stamp stamp;
        char events[32] = "";
        reader_init(&reader, true, false);
        write_events(&reader, bytes_of(stream, cut), events, sizeof events);
        write_events(&reader, bytes_of(stream + cut, count - cut), events, sizeof events);
        cr_assert_str_eq(events, "mmmmmpmc", "cut at %zu: %s %s", cut, events, reader.bad);
        cr_assert(stamp_read(reader.stamp, &stamp));
        cr_assert_eq(stamp.sequence, 5);
        cr_assert_eq(reader.message_bytes, 60);
    }
}

Test(reader, says_the_same_byte_by_byte, .timeout = 20)
{
    static uint8_t stream[STREAM_MAX];
    struct reader reader;
    char events[32] = "";
    filler_prepare();
    reader_init(&reader, true, false);
    size_t count = write_stream(stream);
    count += write_message(stream + count, 6, 65536, 0, 0x82);
    for (size_t i = 0; i < count; i++) {
        write_events(&reader, bytes_of(stream + i, 1), events, sizeof events);
    }
    cr_assert_str_eq(events, "mmmmmpmcm");
    cr_assert_eq(reader.message_bytes, 65536);
}

Test(reader, names_what_is_no_frame_of_a_server, .timeout = 10)
{
    static const struct {
        const char *bytes;
        size_t count;
    } bad[] = {{"\x81\x85", 2},                                   /* masked */
               {"\xc1\x01", 2},                                   /* reserved bit */
               {"\x83\x01", 2},                                   /* unknown opcode */
               {"\x80\x01", 2},                                   /* continues nothing */
               {"\x09\x01", 2},                                   /* a ping in fragments */
               {"\x89\x7e\x00\x7e", 4},                           /* a long ping */
               {"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x01", 10}}; /* too long */
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t copy[16];
        struct reader reader;
        struct bytes in = bytes_of(copy, bad[i].count);
        memcpy(copy, bad[i].bytes, bad[i].count);
        reader_init(&reader, true, false);
        cr_expect_eq(reader_next(&reader, &in), READER_BAD, "case %zu", i);
        cr_expect_not_null(reader.bad, "case %zu", i);
        cr_expect_eq(reader_next(&reader, &in), READER_BAD, "case %zu stays bad", i);
    }
}

Test(reader, notices_changed_content_only_when_asked, .timeout = 10)
{
    for (int checks = 0; checks <= 1; checks++) {
        uint8_t frame[200];
        struct reader reader;
        filler_prepare();
        struct bytes in = bytes_of(frame, write_message(frame, 0, 100, 0, 0x81));
        frame[90] ^= 1;
        reader_init(&reader, checks, false);
        cr_expect_eq(reader_next(&reader, &in), checks ? READER_BAD : READER_MESSAGE);
    }
}

/* Where events are read: whole messages, wherever they are cut, copied only then. */
Test(reader, gives_whole_messages_where_they_are_wanted, .timeout = 20)
{
    static uint8_t stream[STREAM_MAX], copy[STREAM_MAX];
    size_t count = write_message(stream, 0, 300, 0, 0x81);
    count += write_message(stream + count, 1, 40, 0, 0x01);
    count += write_message(stream + count, 1, 20, 40, 0x80);
    for (size_t cut = 0; cut <= count; cut++) {
        struct reader reader;
        uint32_t messages = 0;
        memcpy(copy, stream, count);
        reader_init(&reader, true, true);
        for (int half = 0; half < 2; half++) {
            struct bytes in = half == 0 ? bytes_of(copy, cut) : bytes_of(copy + cut, count - cut);
            enum reader_event event;
            while ((event = reader_next(&reader, &in)) == READER_MESSAGE) {
                uint8_t wanted[300];
                struct stamp stamp = {.publisher = 1, .sequence = messages};
                filler_write(wanted, sizeof wanted, 0);
                stamp_write(wanted, &stamp);
                cr_assert_eq(reader.whole.count, messages == 0 ? 300 : 60, "cut at %zu", cut);
                cr_assert_eq(memcmp(reader.whole.at, wanted, reader.whole.count), 0, "cut at %zu", cut);
                messages++;
            }
            cr_assert_eq(event, READER_MORE);
        }
        cr_expect_eq(messages, 2, "cut at %zu", cut);
        reader_fini(&reader);
    }
}
