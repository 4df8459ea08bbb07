/* server/cluster/record.c - from a message to bytes, and back. */
#include "server/cluster/record.h"

#include "core/bytes.h"
#include "net/frame.h"
#include "net/utf8.h"
#include "server/protocol/event.h"

#include <assert.h>

#define VERSION 1

enum {
    FLAG_KEPT = 1 << 0,
    FLAG_EXCLUDED = 1 << 1,
    FLAG_BINARY = 1 << 2,
};

enum tag {
    TAG_RAW = 1,
    TAG_EVENT_NAME = 2,
    TAG_DATA = 3,
    TAG_USER_ID = 4,
    TAG_MADE_US = 5, /* 4 bytes */
};

#define FIELD_HEAD_BYTES (1 + sizeof(uint32_t))
#define LENGTH_AT        RECORD_TOKEN_BYTES

/* ---- writing ---- */

static char *put_u8(char *to, unsigned value)
{
    *to = (char)value;
    return to + 1;
}

static char *put_u32(char *to, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static char *put_u64(char *to, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(to, &value, sizeof value);
    return to + sizeof value;
}

static char *put_field(char *to, enum tag tag, struct text text)
{
    if (text.at == NULL) return to;
    return text_put(put_u32(put_u8(to, tag), (uint32_t)text.count), text);
}

static size_t field_bytes(struct text text)
{
    return text.at != NULL ? FIELD_HEAD_BYTES + text.count : 0;
}

/* Without its quotes; none is none. */
static struct text part_text(const struct message *message, struct message_part part)
{
    if (part.bytes == 0) return (struct text){0};
    struct text quoted = message_part_text(message, part);
    return (struct text){quoted.at + 1, quoted.count - 2};
}

/* What of the message travels: the raw form says all of a room's, whose event every node can make itself. */
static struct record texts_of(const struct message *message)
{
    struct record record = {0};
    if (message_has(message, FORM_RAW)) {
        const uint8_t *frame = message_frame(message, FORM_RAW);
        size_t header = frame_header_bytes(frame);
        record.raw = (struct text){(const char *)frame + header, message->frame_bytes[FORM_RAW] - header};
        record.is_binary = (frame[0] & 0x0f) == FRAME_BINARY;
    } else if (message_has(message, FORM_EVENT)) {
        record.event_name = part_text(message, message->event_name);
        record.data = part_text(message, message->data);
        record.user_id = part_text(message, message->user_id);
    }
    return record;
}

static size_t made_bytes(const struct message *message)
{
    return message->made_us != 0 ? FIELD_HEAD_BYTES + sizeof message->made_us : 0;
}

size_t record_bytes(const struct message *message)
{
    struct record record = texts_of(message);
    return RECORD_BYTES_MIN + field_bytes(record.raw) + field_bytes(record.event_name) + field_bytes(record.data) +
           field_bytes(record.user_id) + made_bytes(message);
}

static char *put_publisher(char *to, const struct publisher *publisher)
{
    to = put_u32(put_u32(to, publisher->shard), publisher->slot);
    return put_u32(put_u32(to, publisher->life), publisher->random);
}

char *record_write(char *to, const struct message *message, enum record_kind kind, struct record_token token)
{
    assert(!message_has(message, FORM_WATCH));
    struct record record = texts_of(message);
    assert(kind == RECORD_TERMINATE || record.raw.at != NULL || record.event_name.at != NULL);
    to = put_u64(put_u64(to, token.node), token.number);
    to = put_u32(to, (uint32_t)record_bytes(message));
    to = put_u8(put_u8(to, VERSION), kind);
    to = put_u8(to, (message->is_kept ? FLAG_KEPT : 0u) | (message->publisher.is_excluded ? FLAG_EXCLUDED : 0u) |
                        (record.is_binary ? FLAG_BINARY : 0u));
    to = put_publisher(put_u8(to, message->origin), &message->publisher);
    to = put_field(put_field(to, TAG_RAW, record.raw), TAG_EVENT_NAME, record.event_name);
    to = put_field(put_field(to, TAG_DATA, record.data), TAG_USER_ID, record.user_id);
    if (message->made_us == 0) return to;
    return put_u32(put_u32(put_u8(to, TAG_MADE_US), sizeof message->made_us), message->made_us);
}

/* ---- reading ---- */

static uint32_t take_u32(struct bytes *bytes)
{
    uint32_t high = bytes_u16(bytes);
    return high << 16 | bytes_u16(bytes);
}

static bool is_utf8(struct text text)
{
    struct utf8 utf8 = {0};
    return utf8_check(&utf8, (const uint8_t *)text.at, text.count) && utf8_is_complete(&utf8);
}

/* May this stand between the quotes of a JSON string? Clients take a frame with anything else for a broken server. */
static bool is_string_inside(struct text text)
{
    for (size_t i = 0; i < text.count; i++) {
        unsigned char c = (unsigned char)text.at[i];
        if (c < ' ' || c == '"') return false;
        if (c == '\\' && ++i == text.count) return false;
    }
    return is_utf8(text);
}

static bool take_field(struct bytes *bytes, struct record *record)
{
    unsigned tag = bytes_u8(bytes);
    size_t count = take_u32(bytes);
    const uint8_t *at = bytes_take(bytes, count);
    if (at == NULL) return false;
    struct text text = {(const char *)at, count};
    struct bytes number = bytes_of((void *)at, count);
    switch (tag) {
    case TAG_RAW:
        record->raw = text;
        return true;
    case TAG_EVENT_NAME:
        record->event_name = text;
        return is_string_inside(text);
    case TAG_DATA:
        record->data = text;
        return is_string_inside(text);
    case TAG_USER_ID:
        record->user_id = text;
        return is_string_inside(text);
    case TAG_MADE_US:
        record->made_us = take_u32(&number);
        return !number.ran_short;
    default:
        return true;
    }
}

/* Is there all that its kind needs? */
static bool is_whole(const struct record *record)
{
    switch (record->kind) {
    case RECORD_TERMINATE:
        return true;
    case RECORD_MESSAGE:
        if (record->raw.at != NULL) return record->is_binary || is_utf8(record->raw);
        return record->event_name.at != NULL && record->data.at != NULL;
    }
    return false;
}

static bool read_record(struct bytes *bytes, struct record *record)
{
    *record = (struct record){.token.node = bytes_u64(bytes)};
    record->token.number = bytes_u64(bytes);
    take_u32(bytes); /* its length, known already */
    unsigned version = bytes_u8(bytes);
    record->kind = bytes_u8(bytes);
    unsigned flags = bytes_u8(bytes), origin = bytes_u8(bytes);
    record->is_kept = (flags & FLAG_KEPT) != 0;
    record->is_binary = (flags & FLAG_BINARY) != 0;
    record->publisher.is_excluded = (flags & FLAG_EXCLUDED) != 0;
    record->origin = origin;
    record->publisher.shard = take_u32(bytes);
    record->publisher.slot = take_u32(bytes);
    record->publisher.life = take_u32(bytes);
    record->publisher.random = take_u32(bytes);
    if (version != VERSION || origin > ORIGIN_GUEST) return false;
    while (bytes->count > 0) {
        if (!take_field(bytes, record)) return false;
    }
    return is_whole(record);
}

enum rc record_take(struct text *text, struct record *record_r)
{
    if (text->count < RECORD_BYTES_MIN) return RC_EPROTO;
    struct bytes head = bytes_of((void *)(text->at + LENGTH_AT), sizeof(uint32_t));
    size_t count = take_u32(&head);
    if (count < RECORD_BYTES_MIN || count > text->count) return RC_EPROTO;
    struct bytes bytes = bytes_of((void *)text->at, count);
    *text = text_behind(*text, count);
    return read_record(&bytes, record_r) ? RC_OK : RC_EINVAL;
}

/* ---- the message ---- */

static struct message *message_of_raw(struct counters *counters, const struct record *record,
                                      const struct name *channel)
{
    uint8_t header[FRAME_HEADER_BYTES_MAX];
    size_t header_bytes =
        frame_header_write(header, record->is_binary ? FRAME_BINARY : FRAME_TEXT, record->raw.count);
    size_t bytes = header_bytes + record->raw.count;
    struct message *message = message_new_of(counters, channel, FORM_RAW, (uint32_t)bytes);
    if (message == NULL) return NULL;
    uint8_t *frame = message_frame(message, FORM_RAW);
    memcpy(frame, header, header_bytes);
    text_put((char *)frame + header_bytes, record->raw);
    return message;
}

static struct message *make_message(struct counters *counters, const struct record *record,
                                    const struct name *channel, const struct position *position)
{
    static const uint32_t no_frames[FORMS_MAX];
    if (record->kind == RECORD_TERMINATE) return message_new(counters, channel, no_frames);
    bool is_raw_alone = record->is_binary || position == NULL;
    if (record->raw.at != NULL && is_raw_alone) return message_of_raw(counters, record, channel);
    if (record->raw.at != NULL) {
        struct event room = {.name = text_of(EVENT_OF_ROOMS), .data = record->raw, .position = position};
        return event_message_raw(counters, channel, &room);
    }
    struct event event = {.name = record->event_name,
                          .data = record->data,
                          .user_id = record->user_id,
                          .is_escaped = true,
                          .position = position};
    return event_message(counters, channel, &event);
}

struct message *record_message(struct counters *counters, const struct record *record, const struct name *channel,
                               const struct position *position, uint64_t time_ms, uint64_t node)
{
    struct message *message = make_message(counters, record, channel, position);
    if (message == NULL) return NULL;
    bool is_ours = record->token.node == node;
    message->publisher = record->publisher;
    /* Without a random number the same place on another node is another connection. */
    if (!is_ours && record->publisher.random == 0) message->publisher.is_excluded = false;
    message->origin = record->origin;
    message->is_kept = record->is_kept;
    message->made_us = is_ours ? record->made_us : 0;
    if (position == NULL) return message;
    message->offset = position->offset;
    message->time_ms = time_ms;
    return message;
}
