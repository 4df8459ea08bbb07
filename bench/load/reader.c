/* bench/load/reader.c - frames from a server, byte by byte in the header, piece by piece in the payload. */
#include "bench/load/reader.h"

#include "core/span.h"

#define OPCODE_MASK   0x0f
#define RESERVED_MASK 0x70
#define FINAL_BIT     0x80
#define MASKED_BIT    0x80
#define LENGTH_MASK   0x7f

void reader_init(struct reader *reader, bool checks_filler, bool gathers)
{
    *reader = (struct reader){.checks_filler = checks_filler, .gathers = gathers};
}

void reader_fini(struct reader *reader)
{
    span_free(&reader->gathered);
}

static bool is_control(const struct reader *reader)
{
    return (reader->opcode & 0x8) != 0;
}

static size_t header_bytes(const struct reader *reader)
{
    if (reader->header_count < 2) return 2;
    uint8_t length = reader->header[1] & LENGTH_MASK;
    return length == 127 ? 10 : length == 126 ? 4 : 2;
}

static enum reader_event refuse(struct reader *reader, const char *cause)
{
    reader->bad = cause;
    return READER_BAD;
}

static uint64_t header_length(struct reader *reader)
{
    struct bytes rest = bytes_of(reader->header + 2, FRAME_HEADER_BYTES_MAX - 2);
    uint8_t length = reader->header[1] & LENGTH_MASK;
    return length == 127 ? bytes_u64(&rest) : length == 126 ? bytes_u16(&rest) : length;
}

/* The header is whole. READER_MORE: go on with its payload. */
static enum reader_event open_frame(struct reader *reader)
{
    uint8_t first = reader->header[0];
    reader->header_count = 0;
    reader->opcode = first & OPCODE_MASK;
    reader->is_final = (first & FINAL_BIT) != 0;
    reader->left = header_length(reader);
    reader->is_in_frame = true;
    if ((first & RESERVED_MASK) != 0) return refuse(reader, "a frame has reserved bits set");
    if ((reader->header[1] & MASKED_BIT) != 0) return refuse(reader, "a frame is masked");
    if (is_control(reader)) {
        reader->control_count = 0;
        if (reader->left <= FRAME_CONTROL_BYTES_MAX && reader->is_final) return READER_MORE;
        return refuse(reader, "a control frame is too long or in fragments");
    }
    if (reader->opcode > FRAME_BINARY) return refuse(reader, "a frame has an unknown opcode");
    if (reader->is_in_message != (reader->opcode == FRAME_CONTINUATION)) {
        return refuse(reader, "a fragment stands outside its message");
    }
    if (!reader->is_in_message) reader->message_bytes = 0;
    reader->is_in_message = true;
    uint32_t most = PAYLOAD_BYTES_MAX + (reader->gathers ? READER_ENVELOPE_BYTES_MAX : 0);
    if (reader->left > most - reader->message_bytes) return refuse(reader, "a message is too long");
    return READER_MORE;
}

static bool read_header(struct reader *reader, struct bytes *in)
{
    while (reader->header_count < header_bytes(reader)) {
        if (in->count == 0) return false;
        reader->header[reader->header_count++] = bytes_u8(in);
    }
    return true;
}

/* A message that lies whole in the input is not copied. */
static bool gather(struct reader *reader, const uint8_t *piece, size_t count)
{
    if (reader->message_bytes == 0) {
        span_free(&reader->gathered);
        reader->whole = (struct text){(const char *)piece, count};
        if (reader->left == 0 && reader->is_final) {
            reader->message_bytes = (uint32_t)count;
            return true;
        }
    }
    reader->message_bytes += (uint32_t)count;
    if (span_append(&reader->gathered, piece, (uint32_t)count) != RC_OK) {
        reader->bad = "out of memory";
        return false;
    }
    reader->whole = (struct text){(const char *)reader->gathered->bytes, reader->gathered->count};
    return true;
}

static bool take_data(struct reader *reader, const uint8_t *piece, size_t count)
{
    if (reader->gathers) return gather(reader, piece, count);
    uint32_t offset = reader->message_bytes;
    reader->message_bytes += (uint32_t)count;
    if (offset < STAMP_BYTES) {
        size_t stamped = count < STAMP_BYTES - offset ? count : STAMP_BYTES - offset;
        memcpy(reader->stamp + offset, piece, stamped);
        piece += stamped;
        count -= stamped;
        offset += (uint32_t)stamped;
    }
    return !reader->checks_filler || filler_matches(piece, count, offset);
}

static bool take_payload(struct reader *reader, struct bytes *in)
{
    size_t count = in->count < reader->left ? in->count : (size_t)reader->left;
    const uint8_t *piece = bytes_take(in, count);
    reader->left -= count;
    if (!is_control(reader)) return take_data(reader, piece, count);
    memcpy(reader->control + reader->control_count, piece, count);
    reader->control_count += (uint8_t)count;
    return true;
}

/* The frame's payload is whole. READER_MORE: nothing to tell. */
static enum reader_event end_frame(struct reader *reader)
{
    reader->is_in_frame = false;
    if (reader->opcode == FRAME_PING) return READER_PING;
    if (reader->opcode == FRAME_CLOSE) return READER_CLOSE;
    if (is_control(reader) || !reader->is_final) return READER_MORE;
    reader->is_in_message = false;
    return READER_MESSAGE;
}

enum reader_event reader_next(struct reader *reader, struct bytes *in)
{
    while (reader->bad == NULL) {
        if (!reader->is_in_frame) {
            if (!read_header(reader, in)) return READER_MORE;
            if (open_frame(reader) == READER_BAD) return READER_BAD;
        }
        if (!take_payload(reader, in)) {
            return refuse(reader, reader->bad != NULL ? reader->bad : "a message's content was changed on the way");
        }
        if (reader->left > 0) return READER_MORE;
        enum reader_event event = end_frame(reader);
        if (event != READER_MORE) return event;
    }
    return READER_BAD;
}
