/* tests/net/test_frame_reader.c - tables of frames and what they mean, fed whole, byte by byte and cut at each place.
 *
 * A run feeds a copy of the input in slices and writes what comes out as text, pieces joined, so that all slicings
 * must give the same words: "T(hello)" a text message, "B()" an empty binary one, "ping(x)", "close(..)", and at the
 * end "bad 1002" or "open" (a frame or message is not finished). */
#include "net/frame_reader.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 300, WORDS_MAX = 8192, INPUT_MAX = 4096 };

/* What a run has seen. */
struct words {
    char text[WORDS_MAX];
    size_t count;
    char message[WORDS_MAX]; /* the open message, whose pieces control frames may stand between */
    size_t message_count;
    size_t events;
    size_t eaten; /* bytes gone when it ended; of a bad input, up to and with the slice that showed it */
};

static void say(struct words *words, const void *text, size_t count)
{
    cr_assert_leq(words->count + count, sizeof words->text - 1);
    memcpy(words->text + words->count, text, count);
    words->count += count;
    words->text[words->count] = '\0';
}

static void say_string(struct words *words, const char *text)
{
    say(words, text, strlen(text));
}

static void take_data(struct words *words, const struct frame_event *event)
{
    cr_assert_eq(event->is_first, words->message_count == 0, "first piece");
    if (event->is_first) {
        words->message[words->message_count++] = event->opcode == FRAME_TEXT ? 'T' : 'B';
        words->message[words->message_count++] = '(';
    }
    cr_assert_leq(words->message_count + event->payload.count, sizeof words->message);
    memcpy(words->message + words->message_count, event->payload.at, event->payload.count);
    words->message_count += event->payload.count;
    if (!event->is_last) return;
    say(words, words->message, words->message_count);
    say_string(words, ") ");
    words->message_count = 0;
}

static void take_control(struct words *words, const struct frame_event *event)
{
    static const char *const names[] = {[FRAME_CLOSE] = "close(", [FRAME_PING] = "ping(", [FRAME_PONG] = "pong("};
    bool is_open = words->count > 0 && words->text[words->count - 1] != ' ';
    cr_assert_eq(event->is_first, !is_open, "first piece");
    if (event->is_first) say_string(words, names[event->opcode]);
    say(words, event->payload.at, event->payload.count);
    if (event->is_last) say_string(words, ") ");
}

/* Feeds one slice; false: it was bad. */
static bool feed(struct frame_reader *reader, uint8_t *slice, size_t count, struct words *words)
{
    struct bytes in = bytes_of(slice, count);
    struct frame_event event;
    for (;;) {
        const uint8_t *before = in.at;
        switch (frame_reader_next(reader, &in, &event)) {
        case FRAME_EVENT_MORE:
            cr_assert_eq(in.count, 0);
            words->eaten += count;
            return true;
        case FRAME_EVENT_BAD:
            cr_assert_eq(frame_reader_next(reader, &in, &event), FRAME_EVENT_BAD, "stays bad");
            char text[16];
            snprintf(text, sizeof text, "bad %u", close_reason_code(event.reason));
            say_string(words, text);
            words->eaten += count;
            return false;
        case FRAME_EVENT_DATA:
            take_data(words, &event);
            break;
        case FRAME_EVENT_CONTROL:
            take_control(words, &event);
            break;
        }
        words->events++;
        cr_assert(event.payload.at >= before && event.payload.at + event.payload.count <= slice + count,
                  "a piece lies in the input");
    }
}

/* Feeds `input` in slices that end at the given cuts (ascending) and at its end. */
static struct words *run(const uint8_t *input, size_t count, const size_t *cuts, size_t cuts_count)
{
    static struct words words;
    static uint8_t copy[INPUT_MAX];
    struct frame_reader reader;
    words = (struct words){.count = 0};
    cr_assert_leq(count, sizeof copy);
    memcpy(copy, input, count);
    frame_reader_init(&reader, MESSAGE_MAX);
    size_t from = 0;
    for (size_t i = 0; i <= cuts_count; i++) {
        size_t to = i < cuts_count ? cuts[i] : count;
        if (!feed(&reader, copy + from, to - from, &words)) return &words;
        from = to;
    }
    if (reader.frame_is_open || reader.header_count > 0 || reader.message_opcode != 0) say_string(&words, "open");
    return &words;
}

static struct words *run_bytewise(const uint8_t *input, size_t count)
{
    static size_t cuts[INPUT_MAX];
    for (size_t i = 0; i < count; i++)
        cuts[i] = i;
    return run(input, count, cuts, count);
}

/* A frame builder: the header as told, payload masked with a key that changes from frame to frame. */
struct input {
    uint8_t bytes[INPUT_MAX];
    size_t count;
};

static void add_frame(struct input *input, uint8_t first, const void *payload, size_t count)
{
    uint8_t key[4] = {0x37, 0xfa, (uint8_t)(0x21 + input->count), 0x3d};
    cr_assert_leq(input->count + count + FRAME_CLIENT_HEADER_BYTES_MAX, sizeof input->bytes);
    uint8_t *at = input->bytes + input->count;
    size_t header = frame_header_write(at, FRAME_TEXT, count);
    at[0] = first;
    at[1] |= 0x80;
    memcpy(at + header, key, sizeof key);
    for (size_t i = 0; i < count; i++)
        at[header + 4 + i] = ((const uint8_t *)payload)[i] ^ key[i % 4];
    input->count += header + 4 + count;
}

/* One row of a table: frames as (first byte, payload) pairs, and the words they make. */
struct row {
    struct {
        uint8_t first;
        const char *payload; /* NULL ends the list */
    } frames[8];
    const char *words;
};

static const struct row rows[] = {
    {{{0x81, "hello"}}, "T(hello) "},
    {{{0x82, "\x01\xff"}}, "B(\x01\xff) "},
    {{{0x81, ""}}, "T() "},
    {{{0x82, ""}, {0x81, "a"}}, "B() T(a) "},
    {{{0x01, "hel"}, {0x80, "lo"}}, "T(hello) "},
    {{{0x02, ""}, {0x00, ""}, {0x00, "x"}, {0x00, ""}, {0x80, ""}, {0x81, "y"}}, "B(x) T(y) "},
    {{{0x89, ""}, {0x8a, "beat"}}, "ping() pong(beat) "},
    {{{0x01, "a"}, {0x89, "p"}, {0x00, "b"}, {0x8a, ""}, {0x80, "c"}}, "ping(p) pong() T(abc) "},
    {{{0x88, "\x03\xe9gone"}}, "close(\x03\xe9gone) "},
    {{{0x88, ""}, {0x81, "late"}}, "close() T(late) "},
    {{{0x01, "a"}}, "open"},
    {{{0x01, "gr\xc3"}, {0x80, "\xbc\xc3\x9f"}}, "T(gr\xc3\xbc\xc3\x9f) "}, /* a character over two fragments */
    {{{0x01, "\xf0\x9f"}, {0x89, "\xff"}, {0x80, "\x98\x80"}}, "ping(\xff) T(\xf0\x9f\x98\x80) "},
    {{{0x81, "a\xc3"}, {0x81, "x"}}, "bad 1007"}, /* cut at the end of the message */
    {{{0x81, "abc\xff"}}, "bad 1007"},
    {{{0x01, "\xed"}, {0x80, "\xa0\x80"}}, "bad 1007"},
    {{{0x82, "\xff\xfe"}, {0x81, "\xff"}}, "B(\xff\xfe) bad 1007"},
    {{{0x80, "x"}}, "bad 1002"},              /* nothing to continue */
    {{{0x01, "x"}, {0x81, "y"}}, "bad 1002"}, /* a message inside a message */
    {{{0x01, "x"}, {0x02, "y"}}, "bad 1002"},
    {{{0x81, "x"}, {0x80, "y"}}, "T(x) bad 1002"},
    {{{0x09, "x"}}, "bad 1002"}, /* fragmented control frames */
    {{{0x08, "x"}}, "bad 1002"},
    {{{0xc1, "x"}}, "bad 1002"}, /* reserved bits */
    {{{0xa1, "x"}}, "bad 1002"},
    {{{0x91, "x"}}, "bad 1002"},
    {{{0xc9, "x"}}, "bad 1002"},
    {{{0x83, "x"}}, "bad 1002"}, /* opcodes without a meaning */
    {{{0x87, "x"}}, "bad 1002"},
    {{{0x8b, "x"}}, "bad 1002"},
    {{{0x8f, "x"}}, "bad 1002"},
};

static void expect_words_at_all_cuts(const struct input *input, const char *words, size_t row)
{
    cr_assert_str_eq(run(input->bytes, input->count, NULL, 0)->text, words, "row %zu whole", row);
    cr_assert_str_eq(run_bytewise(input->bytes, input->count)->text, words, "row %zu byte by byte", row);
    for (size_t cut = 0; cut <= input->count; cut++)
        cr_assert_str_eq(run(input->bytes, input->count, &cut, 1)->text, words, "row %zu cut at %zu", row, cut);
}

Test(frame_reader, frames_mean_the_same_however_they_are_cut, .timeout = 20)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct input input = {.count = 0};
        for (size_t k = 0; k < 8 && rows[i].frames[k].payload != NULL; k++)
            add_frame(&input, rows[i].frames[k].first, rows[i].frames[k].payload, strlen(rows[i].frames[k].payload));
        expect_words_at_all_cuts(&input, rows[i].words, i);
    }
}

/* Fed byte by byte, a bad header ends at the byte that shows it. */
Test(frame_reader, a_bad_header_is_told_at_the_byte_that_shows_it, .timeout = 5)
{
    static const struct {
        uint8_t bytes[16];
        size_t shows_at;
        const char *words;
    } bad[] = {
        {{0x83}, 1, "bad 1002"},
        {{0xc1}, 1, "bad 1002"},
        {{0x80}, 1, "bad 1002"},
        {{0x09}, 1, "bad 1002"},
        {{0x81, 0x05}, 2, "bad 1002"},                                     /* no mask */
        {{0x89, 0xfe}, 2, "bad 1002"},                                     /* control frame above 125 */
        {{0x88, 0xff}, 2, "bad 1002"},                                     /* control frame above 125 */
        {{0x81, 0xfe, 0, 125}, 4, "bad 1002"},                             /* longer form than needed */
        {{0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 8, "bad 1002"},       /* longer form than needed */
        {{0x81, 0xff, 0x80}, 3, "bad 1002"},                               /* top bit */
        {{0x81, 0xfe, 1, 45}, 4, "bad 1009"},                              /* 301 */
        {{0x81, 0xfe, 2}, 3, "bad 1009"},                                  /* at least 512 */
        {{0x81, 0xff, 0, 0, 0, 0, 0, 1}, 8, "bad 1009"},                   /* at least 65536 */
        {{0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff}, 3, "bad 1009"}, /* 2^63 - 1 */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct words *words = run_bytewise(bad[i].bytes, sizeof bad[i].bytes);
        cr_expect_str_eq(words->text, bad[i].words, "row %zu", i);
        cr_expect_eq(words->eaten, bad[i].shows_at, "row %zu: told after %zu", i, words->eaten);
        cr_expect_str_eq(run(bad[i].bytes, bad[i].shows_at, NULL, 0)->text, bad[i].words, "row %zu in one", i);
    }
}

Test(frame_reader, bad_text_is_told_at_the_bad_byte_in_mid_frame, .timeout = 5)
{
    struct input input = {.count = 0};
    add_frame(&input, 0x81, "abc\xf4\x90 and more that never matters", 31);
    struct words *words = run_bytewise(input.bytes, input.count);
    cr_expect_str_eq(words->text, "bad 1007");
    cr_expect_eq(words->eaten, 6 + 5);
}

Test(frame_reader, a_message_may_fill_the_bound_and_not_pass_it, .timeout = 10)
{
    char payload[MESSAGE_MAX + 1];
    memset(payload, 'x', sizeof payload);
    static const struct {
        size_t fragments[4];
        size_t count;
        bool fits;
    } cases[] = {
        {{300}, 1, true},
        {{301}, 1, false},
        {{0, 300, 0}, 3, true},
        {{100, 100, 100}, 3, true},
        {{100, 100, 101}, 3, false},
        {{300, 1, 0}, 3, false},
        {{200, 100, 0, 1}, 4, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct input input = {.count = 0};
        for (size_t k = 0; k < cases[i].count; k++) {
            uint8_t first = (uint8_t)((k == 0 ? 0x02 : 0) | (k + 1 == cases[i].count ? 0x80 : 0));
            add_frame(&input, first, payload, cases[i].fragments[k]);
        }
        add_frame(&input, 0x82, payload, 300); /* the count begins anew */
        struct words *words = run_bytewise(input.bytes, input.count);
        if (cases[i].fits) {
            cr_expect_eq(words->count, 2 * (MESSAGE_MAX + 4), "row %zu", i);
        } else {
            cr_expect_str_eq(words->text, "bad 1009", "row %zu", i);
        }
    }
}

Test(frame_reader, no_message_bytes_at_all_may_be_allowed, .timeout = 5)
{
    struct frame_reader reader;
    struct frame_event event;
    struct input input = {.count = 0};
    add_frame(&input, 0x81, "", 0);
    add_frame(&input, 0x81, "a", 1);
    struct bytes in = bytes_of(input.bytes, input.count);
    frame_reader_init(&reader, 0);
    cr_expect_eq(frame_reader_next(&reader, &in, &event), FRAME_EVENT_DATA);
    cr_expect_eq(frame_reader_next(&reader, &in, &event), FRAME_EVENT_BAD);
    cr_expect_eq(event.reason, CLOSE_TOO_BIG);
}

Test(frame_reader, the_longest_message_of_all_does_not_overflow, .timeout = 5)
{
    uint8_t header[] = {0x02, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4};
    struct frame_reader reader;
    struct frame_event event;
    frame_reader_init(&reader, UINT32_MAX);
    struct bytes in = bytes_of(header, sizeof header);
    cr_expect_eq(frame_reader_next(&reader, &in, &event), FRAME_EVENT_MORE);
    cr_expect_eq(reader.left, UINT32_MAX);
    frame_reader_init(&reader, UINT32_MAX);
    header[5] = 1; /* one bit above 32 */
    in = bytes_of(header, sizeof header);
    cr_expect_eq(frame_reader_next(&reader, &in, &event), FRAME_EVENT_BAD);
    cr_expect_eq(event.reason, CLOSE_TOO_BIG);
}

Test(frame_reader, a_whole_message_is_one_piece_in_place, .timeout = 5)
{
    struct input input = {.count = 0};
    char payload[200];
    memset(payload, 'z', sizeof payload);
    add_frame(&input, 0x81, payload, sizeof payload);
    size_t second = input.count;
    add_frame(&input, 0x82, "tail", 4);

    struct frame_reader reader;
    struct frame_event event;
    frame_reader_init(&reader, MESSAGE_MAX);
    struct bytes in = bytes_of(input.bytes, input.count);
    cr_assert_eq(frame_reader_next(&reader, &in, &event), FRAME_EVENT_DATA);
    cr_expect(event.is_first && event.is_last);
    cr_expect_eq(event.payload.at, input.bytes + 8);
    cr_expect_eq(event.payload.count, sizeof payload);
    cr_expect_arr_eq(event.payload.at, payload, sizeof payload);
    cr_expect_eq(in.at, input.bytes + second, "the input stands behind the frame");
    cr_assert_eq(frame_reader_next(&reader, &in, &event), FRAME_EVENT_DATA);
    cr_expect_eq(event.payload.count, 4);
    cr_expect_eq(frame_reader_next(&reader, &in, &event), FRAME_EVENT_MORE);
}

Test(frame_reader, a_long_run_of_empty_fragments_is_no_error, .timeout = 20)
{
    struct frame_reader reader;
    struct words *words = calloc(1, sizeof *words);
    frame_reader_init(&reader, MESSAGE_MAX);
    uint8_t start[] = {0x01, 0x80, 1, 2, 3, 4}, end[] = {0x80, 0x80, 1, 2, 3, 4};
    cr_assert(feed(&reader, start, sizeof start, words));
    for (uint32_t i = 0; i < 100000; i++) {
        uint8_t empty[] = {0x00, 0x80, 1, 2, 3, 4};
        cr_assert(feed(&reader, empty, sizeof empty, words));
    }
    cr_assert(feed(&reader, end, sizeof end, words));
    cr_expect_str_eq(words->text, "T() ");
    free(words);
}

/* Random good and nearly good streams, cut at random: whatever the whole input says, the slices say too. */
Test(frame_reader, random_streams_mean_the_same_in_random_slices, .timeout = 60)
{
    static const uint8_t firsts[] = {0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x80, 0x00, 0x89, 0x8a, 0x88};
    static const char *const payloads[] = {"", "a", "\xc3\xa4", "\xe2\x82", "\xac", "word", "\xf0\x9f\x98\x80!"};
    srand(20260701);
    for (uint32_t round = 0; round < 20000; round++) {
        struct input input = {.count = 0};
        for (int frames = rand() % 8; frames >= 0; frames--) {
            const char *payload = payloads[(size_t)rand() % 7];
            add_frame(&input, firsts[(size_t)rand() % sizeof firsts], payload, strlen(payload));
        }
        if (rand() % 4 == 0) input.bytes[(size_t)rand() % input.count] ^= (uint8_t)(1 << rand() % 8);
        if (rand() % 4 == 0) input.count -= (size_t)rand() % 4;
        char whole[WORDS_MAX];
        snprintf(whole, sizeof whole, "%s", run(input.bytes, input.count, NULL, 0)->text);

        size_t cuts[8];
        for (size_t i = 0, at = 0; i < 8; i++)
            cuts[i] = at += (size_t)rand() % (input.count - at + 1);
        if (strcmp(run(input.bytes, input.count, cuts, 8)->text, whole) != 0 ||
            strcmp(run_bytewise(input.bytes, input.count)->text, whole) != 0)
            cr_assert_fail("round %u", round);
    }
}
