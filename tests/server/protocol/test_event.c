/* tests/server/protocol/test_event.c - events are frames byte for byte, and what points into a frame points right. */
#include "server/protocol/event.h"

#include "core/batch.h"
#include "core/counters.h"
#include "core/message.h"
#include "core/position.h"
#include "core/presence.h"
#include "net/frame.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct counters counters;

/* What stands around the data of an event "e" on the channel "c": header bytes not counted. */
#define AROUND (sizeof "{\"event\":\"e\",\"channel\":\"c\",\"data\":\"\"}" - 1)

static char *letters(size_t count)
{
    char *text = malloc(count + 1);
    memset(text, 'x', count);
    text[count] = '\0';
    return text;
}

/* The payload of a text frame, whose header is checked; *bytes_r is its length. */
static const char *payload_of(const uint8_t *frame, size_t frame_bytes, size_t *bytes_r)
{
    size_t header = 2, length = frame[1];
    cr_assert_eq(frame[0], 0x80 | FRAME_TEXT);
    if (length == 126) {
        header = 4;
        length = (size_t)frame[2] << 8 | frame[3];
        cr_assert_geq(length, 126, "the shortest header that holds it");
    } else if (length == 127) {
        header = 10;
        length = 0;
        for (size_t i = 2; i < 10; i++) {
            length = length << 8 | frame[i];
        }
        cr_assert_gt(length, 65535);
    }
    cr_assert_eq(header + length, frame_bytes);
    *bytes_r = length;
    return (const char *)frame + header;
}

static void expect_payload(const uint8_t *frame, size_t frame_bytes, const char *expected)
{
    size_t bytes;
    const char *payload = payload_of(frame, frame_bytes, &bytes);
    cr_expect(text_is((struct text){payload, bytes}, expected), "%.*s instead of %s", (int)bytes, payload, expected);
}

/* ---- frames ---- */

Test(event, has_what_it_was_given_and_nothing_else, .timeout = 10)
{
    static const struct {
        struct event event;
        const char *payload;
    } rows[] = {
        {{.name = {"a", 1}, .data = {"{}", 2}}, "{\"event\":\"a\",\"data\":\"{}\"}"},
        {{.name = {"a", 1}, .channel = {"b", 1}, .data = {"", 0}},
         "{\"event\":\"a\",\"channel\":\"b\",\"data\":\"\"}"},
        {{.name = {"a", 1}, .channel = {"presence-b", 10}, .data = {"{\"n\":1}", 7}, .user_id = {"42", 2}},
         "{\"event\":\"a\",\"channel\":\"presence-b\",\"data\":\"{\\\"n\\\":1}\",\"user_id\":\"42\"}"},
        {{.name = {"App\\Events\\Foo", 14}, .data = {"1", 1}}, "{\"event\":\"App\\\\Events\\\\Foo\",\"data\":\"1\"}"},
        {{.name = {"\"", 1}, .data = {"\0\n\r\t\x1f\"\\/", 8}, .user_id = {"\"x", 2}},
         "{\"event\":\"\\\"\",\"data\":\"\\u0000\\n\\r\\t\\u001f\\\"\\\\/\",\"user_id\":\"\\\"x\"}"},
        {{.name = {"\xc3\xa4", 2}, .data = {"\xf0\x9f\x98\x80\x7f", 5}},
         "{\"event\":\"\xc3\xa4\",\"data\":\"\xf0\x9f\x98\x80\x7f\"}"},
        {{.name = {"a", 1}, .data = {"", 0}, .user_id = {"", 0}}, "{\"event\":\"a\",\"data\":\"\",\"user_id\":\"\"}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t bytes = event_frame_bytes(&rows[i].event);
        uint8_t *frame = malloc(bytes); /* no byte more: the sanitizer looks on */
        cr_assert_eq(event_frame_write(&rows[i].event, frame), frame + bytes);
        expect_payload(frame, bytes, rows[i].payload);
        free(frame);
    }
}

Test(event, has_the_shortest_header_that_holds_it, .timeout = 10)
{
    static const size_t payloads[] = {AROUND, 124, 125, 126, 127, 65534, 65535, 65536, 65537, 1000000};
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        char *data = letters(payloads[i] - AROUND);
        struct event event = {.name = text_of("e"), .channel = text_of("c"), .data = text_of(data)};
        size_t bytes = event_frame_bytes(&event), payload_bytes;
        uint8_t *frame = malloc(bytes);
        cr_assert_eq(event_frame_write(&event, frame), frame + bytes);
        payload_of(frame, bytes, &payload_bytes);
        cr_expect_eq(payload_bytes, payloads[i]);
        cr_expect_eq(bytes, payloads[i] + (payloads[i] < 126 ? 2 : payloads[i] < 65536 ? 4 : 10));
        free(frame);
        free(data);
    }
}

Test(event, with_members_has_their_snapshot_as_data, .timeout = 10)
{
    struct presence *presence = presence_new();
    struct event event = {.name = text_of("e"), .channel = text_of("c"), .data = text_of("{}"), .members = presence};
    cr_assert_eq(presence_join(presence, text_of("42"), text_of("{\"name\":\"Ann\"}")), RC_OK);
    cr_assert_eq(presence_join(presence, text_of("\"7"), (struct text){0}), RC_OK);
    size_t bytes = event_frame_bytes(&event);
    uint8_t *frame = malloc(bytes);
    cr_assert_eq(event_frame_write(&event, frame), frame + bytes);
    expect_payload(frame, bytes,
                   "{\"event\":\"e\",\"channel\":\"c\",\"data\":\"{\\\"presence\\\":{\\\"ids\\\":[\\\"42\\\","
                   "\\\"\\\\\\\"7\\\"],\\\"hash\\\":{\\\"42\\\":{\\\"name\\\":\\\"Ann\\\"},\\\"\\\\\\\"7\\\":null},"
                   "\\\"count\\\":2}}\"}");
    free(frame);
    presence_free(presence);
}

Test(event, with_members_and_more_has_both_in_one_object, .timeout = 10)
{
    struct presence *presence = presence_new();
    struct event event = {.name = text_of("e"),
                          .channel = text_of("c"),
                          .data = text_of("{\"offset\":1,\"recovered\":true}"),
                          .members = presence};
    size_t bytes = event_frame_bytes(&event);
    uint8_t *frame = malloc(bytes);
    cr_assert_eq(event_frame_write(&event, frame), frame + bytes);
    expect_payload(frame, bytes,
                   "{\"event\":\"e\",\"channel\":\"c\",\"data\":\"{\\\"presence\\\":{\\\"ids\\\":[],\\\"hash\\\":{},"
                   "\\\"count\\\":0},\\\"offset\\\":1,\\\"recovered\\\":true}\"}");
    free(frame);
    presence_free(presence);
}

/* ---- messages ---- */

/* Asserts that the message says where its data stands: these bytes, with their quotes. */
static void expect_data(const struct message *message, const char *data)
{
    const char *at = message_part_text(message, message->data).at;
    cr_assert_leq(message->data.at + message->data.bytes, message->frame_bytes[FORM_EVENT]);
    cr_assert_eq(message->data.bytes, strlen(data) + 2);
    cr_expect_eq(at[0], '"');
    cr_expect_eq(memcmp(at + 1, data, strlen(data)), 0);
    cr_expect_eq(at[message->data.bytes - 1], '"');
    cr_expect_eq(memcmp(at - strlen(",\"data\":"), ",\"data\":", strlen(",\"data\":")), 0);
}

Test(event, becomes_a_message_that_knows_where_its_data_stands, .timeout = 10)
{
    static const size_t payloads[] = {AROUND, 125, 126, 65535, 65536, 70000};
    struct name channel = name_of(0, text_of("c"));
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
        char *data = letters(payloads[i] - AROUND);
        struct event event = {.name = text_of("e"), .channel = text_of("not this"), .data = text_of(data)};
        struct message *message = event_message(&counters, &channel, &event);
        size_t bytes;
        cr_assert_not_null(message);
        cr_expect(message_has(message, FORM_EVENT) && !message_has(message, FORM_RAW) &&
                  !message_has(message, FORM_WATCH));
        payload_of(message_frame(message, FORM_EVENT), message->frame_bytes[FORM_EVENT], &bytes);
        cr_expect_eq(bytes, payloads[i], "of the channel that it is for");
        cr_expect(text_is(name_text(&message->channel), "c"));
        expect_data(message, data);
        message_drop(&counters, message);
        free(data);
    }
    struct event event = {.name = text_of("\"\\"), .data = text_of("a\"b\n"), .user_id = text_of("42")};
    struct message *message = event_message(&counters, &channel, &event);
    expect_data(message, "a\\\"b\\n");
    message_drop(&counters, message);
    cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 0);
}

Test(event, for_a_room_too_has_both_forms, .timeout = 10)
{
    static const size_t sizes[] = {0, 1, 125, 126, 65535, 65536, 100000};
    struct name channel = name_of(0, text_of("c"));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *data = letters(sizes[i]);
        struct event event = {.name = text_of("message"), .data = {data, sizes[i]}};
        struct message *message = event_message_raw(&counters, &channel, &event);
        cr_assert_not_null(message);
        expect_payload(message_frame(message, FORM_RAW), message->frame_bytes[FORM_RAW], data);
        expect_data(message, data);
        cr_expect_not(message_has(message, FORM_WATCH));
        message_drop(&counters, message);
        free(data);
    }
}

static struct message *raw_message(enum frame_opcode opcode, const char *data, size_t count)
{
    struct name channel = name_of(0, text_of("room"));
    uint8_t header[FRAME_HEADER_BYTES_MAX];
    size_t header_bytes = frame_header_write(header, opcode, count);
    struct message *message = message_new_of(&counters, &channel, FORM_RAW, (uint32_t)(header_bytes + count));
    memcpy(message_frame(message, FORM_RAW), header, header_bytes);
    memcpy(message_frame(message, FORM_RAW) + header_bytes, data, count);
    message->publisher = (struct publisher){.shard = 1, .slot = 2, .life = 3, .is_excluded = true};
    return message;
}

Test(event, is_made_of_a_rooms_text_of_any_size, .timeout = 10)
{
    static const size_t sizes[] = {0, 1, 125, 126, 127, 65535, 65536, 100000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *data = letters(sizes[i]);
        struct message *message = event_of_raw(&counters, raw_message(FRAME_TEXT, data, sizes[i]));
        expect_payload(message_frame(message, FORM_RAW), message->frame_bytes[FORM_RAW], data);
        expect_data(message, data);
        cr_expect(text_is(name_text(&message->channel), "room"));
        cr_expect_eq(message->publisher.shard, 1);
        cr_expect_eq(message->publisher.slot, 2);
        cr_expect_eq(message->publisher.life, 3);
        cr_expect(message->publisher.is_excluded);
        cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 1, "the raw one is gone");
        message_drop(&counters, message);
        free(data);
    }
    struct message *message = event_of_raw(&counters, raw_message(FRAME_TEXT, "say \"hi\"", 8));
    expect_payload(message_frame(message, FORM_EVENT), message->frame_bytes[FORM_EVENT],
                   "{\"event\":\"message\",\"channel\":\"room\",\"data\":\"say \\\"hi\\\"\"}");
    message_drop(&counters, message);
    cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 0);
}

Test(event, is_not_made_of_binary, .timeout = 10)
{
    struct message *raw = raw_message(FRAME_BINARY, "\xff\x00", 2);
    cr_expect_eq(event_of_raw(&counters, raw), raw, "it comes back as it is");
    cr_expect_not(message_has(raw, FORM_EVENT));
    cr_expect_eq(raw->data.bytes, 0);
    message_drop(&counters, raw);
}

/* ---- positions ---- */

static void expect_part(const struct message *message, struct message_part part, const char *expected)
{
    cr_expect(text_is(message_part_text(message, part), expected), "%.*s instead of %s", (int)part.bytes,
              message_part_text(message, part).at, expected);
}

Test(event, at_its_place_tells_it_and_keeps_everything_else, .timeout = 10)
{
    static const size_t sizes[] = {0, 1, 60, 80, 100, 1000, 65400, 65500, 70000}; /* the header grows at some */
    struct name channel = name_of(0, text_of("c"));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *data = letters(sizes[i]);
        struct event event = {.name = text_of("e\""), .data = {data, sizes[i]}, .user_id = text_of("42")};
        struct message *message = event_message_raw(&counters, &channel, &event);
        message->publisher = (struct publisher){.slot = 7, .is_excluded = true};
        message->origin = ORIGIN_CLIENT;
        struct position position = {.offset = 9007199254740991, .epoch = "k3x9ab2m"};
        struct message *placed = event_at(&counters, message, &position, 1700000000123);
        char *expected;
        cr_assert(asprintf(&expected,
                           "{\"event\":\"e\\\"\",\"channel\":\"c\",\"data\":\"%s\",\"user_id\":\"42\","
                           "\"offset\":9007199254740991,\"epoch\":\"k3x9ab2m\"}",
                           data) > 0);
        expect_payload(message_frame(placed, FORM_EVENT), placed->frame_bytes[FORM_EVENT], expected);
        free(expected);
        expect_payload(message_frame(placed, FORM_RAW), placed->frame_bytes[FORM_RAW], data);
        expect_data(placed, data);
        expect_part(placed, placed->event_name, "\"e\\\"\"");
        expect_part(placed, placed->user_id, "\"42\"");
        cr_expect_eq(placed->offset, 9007199254740991);
        cr_expect_eq(placed->time_ms, 1700000000123);
        cr_expect(placed->publisher.slot == 7 && placed->publisher.is_excluded && placed->origin == ORIGIN_CLIENT);
        message_drop(&counters, placed);
        cr_expect_eq(counter_get(&counters, COUNTER_messages_live), 0);
        free(data);
    }
}

Test(event, made_with_a_position_is_the_one_that_was_given_it, .timeout = 10)
{
    struct position position = {.offset = 43, .epoch = "k3x9ab2m"};
    struct event event = {.name = text_of("e"), .channel = text_of("c"), .data = text_of("d")};
    size_t bytes = event_frame_bytes(&event);
    struct name channel = name_of(0, text_of("c"));
    struct message *later = event_at(&counters, event_message(&counters, &channel, &event), &position, 1);
    event.position = &position;
    struct message *at_once = event_message(&counters, &channel, &event);
    cr_assert_gt(at_once->frame_bytes[FORM_EVENT], bytes);
    cr_assert_eq(at_once->frame_bytes[FORM_EVENT], later->frame_bytes[FORM_EVENT]);
    cr_expect_eq(memcmp(message_frame(at_once, FORM_EVENT), message_frame(later, FORM_EVENT),
                        at_once->frame_bytes[FORM_EVENT]),
                 0);
    expect_part(at_once, at_once->event_name, "\"e\"");
    expect_part(at_once, at_once->data, "\"d\"");
    cr_expect_eq(at_once->user_id.bytes, 0);
    message_drop(&counters, later);
    message_drop(&counters, at_once);
}

/* ---- for one connection ---- */

Test(event, for_one_connection_is_a_batch, .timeout = 10)
{
    struct event event = {.name = text_of("pusher:pong"), .data = text_of("{}")};
    struct batch *batch = event_batch(&event, 77);
    expect_payload(batch->bytes, batch->count, "{\"event\":\"pusher:pong\",\"data\":\"{}\"}");
    cr_expect_eq(batch->made_ms, 77);
    batch_drop(&counters, batch);
}

Test(event, of_an_error_has_an_object_as_data_and_a_code_or_null, .timeout = 10)
{
    static const struct {
        unsigned code;
        uint32_t retry_after_ms;
        const char *text, *payload;
    } rows[] = {
        {0, 0, "no", "{\"event\":\"pusher:error\",\"data\":{\"code\":null,\"message\":\"no\"}}"},
        {4301, 0, "say \"less\"\n",
         "{\"event\":\"pusher:error\",\"data\":{\"code\":4301,\"message\":\"say \\\"less\\\"\\n\"}}"},
        {4009, 0, "", "{\"event\":\"pusher:error\",\"data\":{\"code\":4009,\"message\":\"\"}}"},
        {4100, 1234, "bye",
         "{\"event\":\"pusher:error\",\"data\":{\"code\":4100,\"message\":\"bye\",\"retry_after_ms\":1234}}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct batch *batch = event_error_batch(rows[i].code, text_of(rows[i].text), rows[i].retry_after_ms, 1);
        expect_payload(batch->bytes, batch->count, rows[i].payload);
        batch_drop(&counters, batch);
    }
    char *text = letters(65536);
    struct batch *batch = event_error_batch(4009, text_of(text), 0, 1);
    size_t bytes;
    payload_of(batch->bytes, batch->count, &bytes);
    cr_expect_gt(bytes, 65536);
    batch_drop(&counters, batch);
    free(text);
}
