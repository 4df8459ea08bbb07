/* tests/server/cluster/test_record.c - what comes out of a record is what a server alone would have sent, byte for
 * byte; what is no record is read as none. */
#include "server/cluster/record.h"

#include "core/counters.h"
#include "net/frame.h"
#include "server/protocol/event.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define OUR_NODE   UINT64_C(0x1122334455667788)
#define OTHER_NODE UINT64_C(0x8877665544332211)

static struct counters counters;

static struct name channel(void)
{
    return name_of(3, text_of("presence-room"));
}

/* ---- messages, as they come to their home ---- */

static struct message *event_of(const char *name, struct text data, const char *user_id)
{
    struct name of = channel();
    struct event event = {.name = text_of(name), .data = data};
    if (user_id != NULL) event.user_id = text_of(user_id);
    return event_message(&counters, &of, &event);
}

static struct message *room_event_of(const char *text)
{
    struct name of = channel();
    struct event event = {.name = text_of(EVENT_OF_ROOMS), .data = text_of(text)};
    return event_message_raw(&counters, &of, &event);
}

static struct message *raw_of(enum frame_opcode opcode, struct text text)
{
    struct name of = channel();
    uint8_t header[FRAME_HEADER_BYTES_MAX];
    size_t header_bytes = frame_header_write(header, opcode, text.count);
    struct message *message = message_new_of(&counters, &of, FORM_RAW, (uint32_t)(header_bytes + text.count));
    uint8_t *frame = message_frame(message, FORM_RAW);
    memcpy(frame, header, header_bytes);
    text_put((char *)frame + header_bytes, text);
    return message;
}

/* A long text in which much has to be escaped. */
static struct text long_text(void)
{
    static char text[70000];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = "abc\"\\\n\x01z"[i % 8];
    }
    return (struct text){text, sizeof text};
}

#define MESSAGES_COUNT 14

static struct message *message_at(unsigned row)
{
    switch (row) {
    case 0:
        return event_of("headline", text_of("{\"text\":\"\xc3\xa4\"}"), NULL);
    case 1:
        return event_of("client-typing", text_of("{}"), "42");
    case 2:
        return event_of("App\\Events\\\"Foo\"", text_of("\"\\\n\x01\x7f"), "\"ann\\ \xf0\x9f\x98\x80");
    case 3:
        return event_of("e", text_of(""), "");
    case 4:
        return event_of("", (struct text){"\0x\0", 3}, NULL);
    case 5:
        return event_of("long", long_text(), "42");
    case 6:
        return room_event_of("said \"so\"\n");
    case 7:
        return room_event_of("");
    case 8:
        return raw_of(FRAME_TEXT, text_of("NAME: text"));
    case 9:
        return raw_of(FRAME_TEXT, long_text());
    case 10:
        return raw_of(FRAME_TEXT, text_of(""));
    case 11:
        return raw_of(FRAME_BINARY, (struct text){"\xff\x00\x80", 3});
    case 12:
        return raw_of(FRAME_BINARY, text_of(""));
    case 13:
        return raw_of(FRAME_BINARY, long_text());
    }
    __builtin_unreachable();
}

static bool is_binary(const struct message *message)
{
    return message_has(message, FORM_RAW) && (message_frame(message, FORM_RAW)[0] & 0x0f) == FRAME_BINARY;
}

/* What a home makes of it for readers of all forms. */
static struct message *delivered(struct message *message, const struct position *position, uint64_t time_ms)
{
    if (!message_has(message, FORM_EVENT)) message = event_of_raw(&counters, message);
    if (position != NULL && message->offset == 0) message = event_at(&counters, message, position, time_ms);
    return message;
}

/* ---- records ---- */

static struct text record_of(const struct message *message, enum record_kind kind, struct record_token token)
{
    size_t bytes = record_bytes(message);
    char *to = malloc(bytes); /* no byte more: the sanitizer looks on */
    cr_assert_eq(record_write(to, message, kind, token), to + bytes);
    return (struct text){to, bytes};
}

static struct record read_whole(struct text bytes)
{
    struct record record;
    struct text rest = bytes;
    cr_assert_eq(record_take(&rest, &record), RC_OK);
    cr_assert_eq(rest.count, 0);
    return record;
}

static void expect_equal(const struct message *message, const struct message *expected, unsigned row)
{
    for (enum form form = 0; form < FORMS_MAX; form++) {
        cr_assert_eq(message->frame_bytes[form], expected->frame_bytes[form], "row %u, form %d", row, form);
        cr_expect_arr_eq(message_frame(message, form), message_frame(expected, form), expected->frame_bytes[form],
                         "row %u, form %d", row, form);
    }
    const struct message_part *parts[] = {&message->event_name, &message->data, &message->user_id};
    const struct message_part *others[] = {&expected->event_name, &expected->data, &expected->user_id};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        cr_expect_eq(parts[i]->at, others[i]->at, "row %u, part %zu", row, i);
        cr_expect_eq(parts[i]->bytes, others[i]->bytes, "row %u, part %zu", row, i);
    }
    cr_expect(name_equals(&message->channel, &expected->channel));
    cr_expect_eq(message->publisher.shard, expected->publisher.shard);
    cr_expect_eq(message->publisher.slot, expected->publisher.slot);
    cr_expect_eq(message->publisher.life, expected->publisher.life);
    cr_expect_eq(message->publisher.random, expected->publisher.random);
    cr_expect_eq(message->publisher.is_excluded, expected->publisher.is_excluded);
    cr_expect_eq(message->origin, expected->origin);
    cr_expect_eq(message->is_kept, expected->is_kept);
    cr_expect_eq(message->offset, expected->offset);
    cr_expect_eq(message->time_ms, expected->time_ms);
}

static const struct position place = {.offset = 12345678901234567, .epoch = "loyw3v5n"};

static void expect_round_trip(unsigned row, enum message_origin origin, const struct position *position)
{
    struct message *message = message_at(row);
    struct name of = channel();
    message->publisher = (struct publisher){1, 2, UINT32_MAX, 0x01020304, true};
    message->origin = origin;
    message->is_kept = !message_has(message, FORM_RAW) && row % 2 == 0; /* of rooms nothing is */
    struct record_token token = {OTHER_NODE, UINT64_MAX - row};
    struct text bytes = record_of(message, RECORD_MESSAGE, token);
    struct record record = read_whole(bytes);
    cr_expect_eq(record.token.node, token.node);
    cr_expect_eq(record.token.number, token.number);
    struct message *expected = delivered(message, position, 77);
    struct message *read = record_message(&counters, &record, &of, position, 77, OUR_NODE);
    free((char *)bytes.at); /* the message has its own */
    if (position != NULL && !is_binary(read)) cr_expect(message_has(read, FORM_EVENT), "it can be kept at once");
    read = delivered(read, position, 77);
    expect_equal(read, expected, row);
    message_drop(&counters, expected);
    message_drop(&counters, read);
}

Test(record, gives_the_frames_of_a_server_alone, .timeout = 20)
{
    static const enum message_origin origins[] = {ORIGIN_BACKEND, ORIGIN_ROOM, ORIGIN_CLIENT, ORIGIN_GUEST};
    for (unsigned row = 0; row < MESSAGES_COUNT; row++) {
        struct message *message = message_at(row);
        bool has_place = !is_binary(message);
        message_drop(&counters, message);
        for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
            expect_round_trip(row, origins[i], NULL);
            if (has_place) expect_round_trip(row, origins[i], &place);
        }
    }
}

Test(record, ends_the_connections_of_a_user, .timeout = 5)
{
    static const uint32_t no_frames[FORMS_MAX];
    struct name of = name_of(1, text_of("#server-to-user-42"));
    struct message *message = message_new(&counters, &of, no_frames);
    struct text bytes = record_of(message, RECORD_TERMINATE, (struct record_token){OTHER_NODE, 1});
    message_drop(&counters, message);
    cr_expect_eq(bytes.count, RECORD_BYTES_MIN);
    struct record record = read_whole(bytes);
    cr_expect_eq(record.kind, RECORD_TERMINATE);
    message = record_message(&counters, &record, &of, NULL, 0, OUR_NODE);
    for (enum form form = 0; form < FORMS_MAX; form++) {
        cr_expect_not(message_has(message, form));
    }
    cr_expect(name_equals(&message->channel, &of));
    message_drop(&counters, message);
    free((char *)bytes.at);
}

/* ---- whose connection a publisher is ---- */

static struct message *from_node(uint64_t node, uint32_t random, uint32_t made_us)
{
    struct message *message = message_at(8);
    struct name of = channel();
    message->publisher = (struct publisher){1, 2, 3, random, true};
    message->made_us = made_us;
    struct text bytes = record_of(message, RECORD_MESSAGE, (struct record_token){node, 1});
    message_drop(&counters, message);
    struct record record = read_whole(bytes);
    message = record_message(&counters, &record, &of, NULL, 0, OUR_NODE);
    free((char *)bytes.at);
    return message;
}

static bool is_excluded(uint64_t node, uint32_t random)
{
    struct message *message = from_node(node, random, 0);
    bool is_excluded = message->publisher.is_excluded;
    message_drop(&counters, message);
    return is_excluded;
}

Test(record, keeps_a_message_from_the_connection_that_published_it_and_from_no_other_in_its_place, .timeout = 5)
{
    cr_expect(is_excluded(OUR_NODE, 0), "a room's, here");
    cr_expect_not(is_excluded(OTHER_NODE, 0), "a room's on another node: that place here is somebody else");
    cr_expect(is_excluded(OUR_NODE, 5), "who has a random number, too, is known by that, ");
    cr_expect(is_excluded(OTHER_NODE, 5), "wherever a backend has published");
}

static uint32_t made_us(uint64_t node, uint32_t made_us)
{
    struct message *message = from_node(node, 0, made_us);
    uint32_t read = message->made_us;
    message_drop(&counters, message);
    return read;
}

Test(record, tells_when_it_was_made_by_the_clock_of_its_own_node_only, .timeout = 5)
{
    cr_expect_eq(made_us(OUR_NODE, 0xfedcba98), 0xfedcba98);
    cr_expect_eq(made_us(OTHER_NODE, 0xfedcba98), 0);
    cr_expect_eq(made_us(OUR_NODE, 0), 0);
}

/* ---- bytes ---- */

/* A record of an event, with room for more fields behind it. */
struct bytes_of_record {
    char at[300];
    size_t count;
};

static struct bytes_of_record good_bytes(unsigned row)
{
    struct bytes_of_record good;
    struct message *message = message_at(row);
    message->made_us = 7;
    good.count = record_bytes(message);
    cr_assert_leq(good.count, sizeof good.at);
    record_write(good.at, message, RECORD_MESSAGE, (struct record_token){1, 2});
    message_drop(&counters, message);
    return good;
}

static void set_length(struct bytes_of_record *bytes, size_t length)
{
    const char big_endian[] = {(char)(length >> 24), (char)(length >> 16), (char)(length >> 8), (char)length};
    memcpy(bytes->at + RECORD_TOKEN_BYTES, big_endian, sizeof big_endian);
}

static void add_field(struct bytes_of_record *bytes, unsigned tag, struct text text)
{
    const char head[] = {(char)tag, 0, 0, 0, (char)text.count};
    char *to = text_put(bytes->at + bytes->count, (struct text){head, sizeof head});
    bytes->count = (size_t)(text_put(to, text) - bytes->at);
    set_length(bytes, bytes->count);
}

static enum rc take(const struct bytes_of_record *bytes)
{
    char *copy = malloc(bytes->count + 1); /* the sanitizer looks on */
    memcpy(copy, bytes->at, bytes->count);
    struct text text = {copy, bytes->count};
    struct record record;
    enum rc rc = record_take(&text, &record);
    cr_expect_eq(text.at == copy, rc == RC_EPROTO);
    free(copy);
    return rc;
}

Test(record, is_passed_over_by_its_length_if_it_cannot_be_read, .timeout = 5)
{
    struct bytes_of_record good = good_bytes(1), bad = good;
    char all[3 * sizeof good.at];
    bad.at[20] = 2; /* another version */
    char *to = text_put(all, (struct text){good.at, good.count});
    to = text_put(text_put(to, (struct text){bad.at, bad.count}), (struct text){good.at, good.count});
    struct text text = text_between(all, to);
    struct record record;
    cr_expect_eq(record_take(&text, &record), RC_OK);
    cr_expect(text_is(record.event_name, "client-typing"));
    cr_expect_eq(record_take(&text, &record), RC_EINVAL);
    cr_expect_eq(record_take(&text, &record), RC_OK);
    cr_expect(text_is(record.user_id, "42"));
    cr_expect_eq(text.count, 0);
    cr_expect_eq(record_take(&text, &record), RC_EPROTO, "there is none");
}

Test(record, with_fields_of_later_versions_is_read_without_them, .timeout = 5)
{
    struct bytes_of_record bytes = good_bytes(1);
    add_field(&bytes, 99, text_of("what is it?"));
    add_field(&bytes, 0, text_of(""));
    struct record record = read_whole((struct text){bytes.at, bytes.count});
    cr_expect(text_is(record.event_name, "client-typing"));
    cr_expect(text_is(record.data, "{}"));
    cr_expect_eq(record.made_us, 7);
}

Test(record, that_is_cut_anywhere_is_none, .timeout = 10)
{
    static const unsigned rows[] = {0, 1, 3, 4, 8, 11};
    static const size_t user_bytes[] = {0, 5 + 2, 5 + 0, 0, 0, 0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct bytes_of_record good = good_bytes(rows[i]);
        for (size_t count = 0; count < good.count; count++) {
            struct bytes_of_record cut = good;
            cut.count = count;
            cr_expect_eq(take(&cut), RC_EPROTO, "row %u, %zu bytes", rows[i], count);
            if (count < RECORD_BYTES_MIN) continue;
            set_length(&cut, count); /* as if that were all: without the time, or the user, too, it is */
            size_t lost = good.count - count;
            bool is_whole = lost == 5 + 4 || lost == 5 + 4 + user_bytes[i];
            cr_expect_eq(take(&cut), is_whole ? RC_OK : RC_EINVAL, "row %u, %zu bytes", rows[i], count);
        }
    }
}

Test(record, with_a_length_that_cannot_be_is_none, .timeout = 5)
{
    struct bytes_of_record bytes = good_bytes(0);
    static const size_t lengths[] = {0, 1, RECORD_BYTES_MIN - 1, 300, 0x7fffffff, 0xffffffff};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        set_length(&bytes, lengths[i]);
        cr_expect_eq(take(&bytes), RC_EPROTO, "%zu", lengths[i]);
    }
}

static enum rc take_changed(unsigned row, size_t at, int value)
{
    struct bytes_of_record bytes = good_bytes(row);
    bytes.at[at] = (char)value;
    return take(&bytes);
}

Test(record, of_another_version_kind_or_origin_is_not_read, .timeout = 5)
{
    cr_expect_eq(take_changed(0, 20, 1), RC_OK);
    cr_expect_eq(take_changed(0, 20, 0), RC_EINVAL);
    cr_expect_eq(take_changed(0, 20, 2), RC_EINVAL);
    cr_expect_eq(take_changed(0, 21, 0), RC_EINVAL);
    cr_expect_eq(take_changed(0, 21, 3), RC_EINVAL);
    cr_expect_eq(take_changed(0, 21, 255), RC_EINVAL);
    cr_expect_eq(take_changed(0, 23, ORIGIN_GUEST), RC_OK);
    cr_expect_eq(take_changed(0, 23, ORIGIN_GUEST + 1), RC_EINVAL);
    cr_expect_eq(take_changed(0, 22, 0xf8), RC_OK, "flags of later versions");
}

static enum rc take_with(unsigned tag, struct text text)
{
    struct bytes_of_record bytes = good_bytes(0);
    add_field(&bytes, tag, text);
    return take(&bytes);
}

Test(record, that_would_spoil_a_frame_is_not_read, .timeout = 5)
{
    static const char *const strings[] = {"\"", "a\"b", "\\", "\\\\\\", "\n", "\x1f", "\xff", "\xc3", "\xed\xa0\x80"};
    for (unsigned tag = 2; tag <= 4; tag++) {
        for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++) {
            cr_expect_eq(take_with(tag, text_of(strings[i])), RC_EINVAL, "tag %u, string %zu", tag, i);
        }
        cr_expect_eq(take_with(tag, (struct text){"\0", 1}), RC_EINVAL, "tag %u", tag);
        cr_expect_eq(take_with(tag, text_of("\\\"\\\\\\n \xc3\xa4\x7f")), RC_OK, "tag %u", tag);
    }
    cr_expect_eq(take_with(1, text_of("\xff")), RC_EINVAL, "a raw text that is none");
    cr_expect_eq(take_with(1, text_of("\"\n\x01\\")), RC_OK);
    cr_expect_eq(take_with(5, text_of("abc")), RC_EINVAL, "a number that is too short");
}
