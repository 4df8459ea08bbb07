/* net/frame_reader.c - reads a client's frames; see the header for what it promises.
 *
 * A header is judged where it lies in the input if all of it does. Otherwise its start is kept in reader->header and
 * judged again with each byte that comes: check_header() says all that a header's first bytes can say. */
#include "net/frame_reader.h"

#include <assert.h>
#include <string.h>

enum {
    FINAL = 0x80,
    RESERVED_BITS = 0x70,
    OPCODE_BITS = 0x0f,
    OPCODE_CONTROL = 0x08, /* set in every control opcode */
    MASKED = 0x80,
    LENGTH_BITS = 0x7f,
    LENGTH_IN_16_BITS = 126, /* in place of a length: it follows in two bytes */
    LENGTH_IN_64_BITS = 127, /* it follows in eight */
    MASK_BYTES = 4,
};

/* What the first bytes of a header say. */
struct header {
    uint64_t length;    /* of the payload; right once all its bytes are here */
    size_t bytes_count; /* of the whole header, as far as is known: 2 until two bytes are here */
};

void frame_reader_init(struct frame_reader *reader, uint32_t message_bytes_max)
{
    *reader = (struct frame_reader){.message_bytes_max = message_bytes_max, .bad = CLOSE_NONE};
}

static bool is_control(uint8_t opcode)
{
    return (opcode & OPCODE_CONTROL) != 0;
}

static enum close_reason check_first_byte(const struct frame_reader *reader, uint8_t first)
{
    bool message_is_open = reader->message_opcode != 0;
    if ((first & RESERVED_BITS) != 0) return CLOSE_BAD_FRAME; /* RFC 6455 5.2: no extension was agreed to */
    switch (first & OPCODE_BITS) {
    case FRAME_CONTINUATION:
        return message_is_open ? CLOSE_NONE : CLOSE_BAD_FRAME; /* 5.4 */
    case FRAME_TEXT:
    case FRAME_BINARY:
        return message_is_open ? CLOSE_BAD_FRAME : CLOSE_NONE; /* 5.4: messages do not interleave */
    case FRAME_CLOSE:
    case FRAME_PING:
    case FRAME_PONG:
        return (first & FINAL) != 0 ? CLOSE_NONE : CLOSE_BAD_FRAME; /* 5.5: control frames are never fragmented */
    default:
        return CLOSE_BAD_FRAME; /* 5.2: opcodes nobody has defined */
    }
}

static size_t extended_length_bytes(uint8_t short_length)
{
    if (short_length < LENGTH_IN_16_BITS) return 0;
    return short_length == LENGTH_IN_16_BITS ? 2 : 8;
}

/* Judges a length of which `here` of its `all` bytes (2 or 8) have come: between `least` and `most`, the rest being
 * zeros or ones. */
static enum close_reason check_extended_length(const uint8_t *from, size_t here, size_t all, uint64_t room,
                                               uint64_t *length_r)
{
    uint64_t least = 0, most = 0;
    for (size_t i = 0; i < all; i++) {
        least = least << 8 | (i < here ? from[i] : 0x00);
        most = most << 8 | (i < here ? from[i] : 0xff);
    }
    uint64_t shorter_form_max = all == 2 ? LENGTH_IN_16_BITS - 1 : UINT16_MAX;
    if (most <= shorter_form_max) return CLOSE_BAD_FRAME; /* RFC 6455 5.2: the shortest form must be used */
    if (least >> 63 != 0) return CLOSE_BAD_FRAME;         /* 5.2: the top bit of 64 is 0 */
    if (least > room) return CLOSE_TOO_BIG;
    *length_r = least;
    return CLOSE_NONE;
}

/* Judges the first `count` bytes of a header; *header_r is filled unless they are bad. */
static enum close_reason check_header(const struct frame_reader *reader, const uint8_t *from, size_t count,
                                      struct header *header_r)
{
    assert(reader->message_bytes <= reader->message_bytes_max);
    *header_r = (struct header){.bytes_count = 2};
    if (count < 1) return CLOSE_NONE;
    enum close_reason bad = check_first_byte(reader, from[0]);
    if (bad != CLOSE_NONE || count < 2) return bad;

    if ((from[1] & MASKED) == 0) return CLOSE_BAD_FRAME; /* 5.1: clients mask */
    uint8_t short_length = from[1] & LENGTH_BITS;
    size_t length_bytes = extended_length_bytes(short_length);
    header_r->bytes_count = 2 + length_bytes + MASK_BYTES;
    header_r->length = short_length;
    if (is_control(from[0])) return short_length <= FRAME_CONTROL_BYTES_MAX ? CLOSE_NONE : CLOSE_BAD_FRAME; /* 5.5 */

    uint64_t room = reader->message_bytes_max - reader->message_bytes;
    if (length_bytes == 0) return short_length <= room ? CLOSE_NONE : CLOSE_TOO_BIG;
    size_t here = count - 2 < length_bytes ? count - 2 : length_bytes;
    return check_extended_length(from + 2, here, length_bytes, room, &header_r->length);
}

/* Opens the frame whose whole, good header stands at `from`. Its length fits uint32_t, as message_bytes_max does. */
static void open_frame(struct frame_reader *reader, const uint8_t *from, const struct header *header)
{
    assert(!reader->frame_is_open && header->bytes_count >= 2 + MASK_BYTES);
    assert(header->length <= UINT32_MAX);
    reader->frame_is_open = true;
    reader->frame_is_final = (from[0] & FINAL) != 0;
    reader->opcode = from[0] & OPCODE_BITS;
    reader->left = (uint32_t)header->length;
    reader->phase = 0;
    reader->header_count = 0;
    memcpy(&reader->mask, from + header->bytes_count - MASK_BYTES, MASK_BYTES);
    if (is_control(reader->opcode)) {
        reader->control_has_begun = false;
        return;
    }
    reader->message_bytes += reader->left;
    if (reader->opcode == FRAME_CONTINUATION) return;
    reader->message_opcode = reader->opcode;
    reader->message_has_begun = false;
}

/* Goes on with a header whose start is kept, or begins to keep one. */
static enum close_reason read_cut_header(struct frame_reader *reader, struct bytes *in)
{
    size_t kept = reader->header_count;
    assert(kept < sizeof reader->header);
    size_t room = sizeof reader->header - kept;
    size_t count = in->count < room ? in->count : room; /* may reach beyond the header: then not all is eaten */
    memcpy(reader->header + kept, in->at, count);

    struct header header;
    enum close_reason bad = check_header(reader, reader->header, kept + count, &header);
    if (bad != CLOSE_NONE) return bad;
    if (kept + count >= header.bytes_count) {
        bytes_take(in, header.bytes_count - kept);
        open_frame(reader, reader->header, &header);
    } else {
        bytes_take(in, count);
        reader->header_count = (uint8_t)(kept + count);
    }
    return CLOSE_NONE;
}

/* Reads as much of a header as there is; whole or not shows in reader->frame_is_open. */
static enum close_reason read_header(struct frame_reader *reader, struct bytes *in)
{
    assert(!reader->frame_is_open && in->count > 0);
    if (reader->header_count > 0) return read_cut_header(reader, in);
    struct header header;
    enum close_reason bad = check_header(reader, in->at, in->count, &header);
    if (bad != CLOSE_NONE) return bad;
    if (in->count < header.bytes_count) return read_cut_header(reader, in);
    open_frame(reader, bytes_take(in, header.bytes_count), &header);
    return CLOSE_NONE;
}

/* Takes the open frame's next piece off the input, unmasked. */
static struct bytes take_payload(struct frame_reader *reader, struct bytes *in)
{
    assert(reader->frame_is_open && reader->phase < 4);
    size_t count = in->count < reader->left ? in->count : reader->left;
    struct bytes payload = bytes_of(bytes_take(in, count), count);
    frame_unmask(payload.at, count, reader->mask, reader->phase);
    reader->phase = (uint8_t)((reader->phase + count) % 4);
    reader->left -= (uint32_t)count;
    reader->frame_is_open = reader->left > 0;
    return payload;
}

static enum frame_event_kind bad_event(struct frame_reader *reader, enum close_reason bad,
                                       struct frame_event *event_r)
{
    assert(bad != CLOSE_NONE);
    reader->bad = bad;
    *event_r = (struct frame_event){.kind = FRAME_EVENT_BAD, .reason = bad};
    return FRAME_EVENT_BAD;
}

static enum frame_event_kind control_event(struct frame_reader *reader, struct bytes *in, struct frame_event *event_r)
{
    assert(is_control(reader->opcode) && reader->frame_is_final);
    struct bytes payload = take_payload(reader, in);
    *event_r = (struct frame_event){
        .kind = FRAME_EVENT_CONTROL,
        .opcode = reader->opcode,
        .is_first = !reader->control_has_begun,
        .is_last = !reader->frame_is_open,
        .payload = payload,
    };
    reader->control_has_begun = true;
    return FRAME_EVENT_CONTROL;
}

static enum frame_event_kind data_event(struct frame_reader *reader, struct bytes *in, struct frame_event *event_r)
{
    assert(reader->message_opcode != 0 && !is_control(reader->opcode));
    struct bytes payload = take_payload(reader, in);
    bool is_last = !reader->frame_is_open && reader->frame_is_final;
    if (reader->message_opcode == FRAME_TEXT) { /* RFC 6455 8.1 */
        if (!utf8_check(&reader->utf8, payload.at, payload.count)) return bad_event(reader, CLOSE_BAD_TEXT, event_r);
        if (is_last && !utf8_is_complete(&reader->utf8)) return bad_event(reader, CLOSE_BAD_TEXT, event_r);
    }
    *event_r = (struct frame_event){
        .kind = FRAME_EVENT_DATA,
        .opcode = reader->message_opcode,
        .is_first = !reader->message_has_begun,
        .is_last = is_last,
        .payload = payload,
    };
    reader->message_has_begun = true;
    if (is_last) {
        reader->message_opcode = 0;
        reader->message_bytes = 0;
    }
    return FRAME_EVENT_DATA;
}

enum frame_event_kind frame_reader_next(struct frame_reader *reader, struct bytes *in, struct frame_event *event_r)
{
    if (reader->bad != CLOSE_NONE) return bad_event(reader, reader->bad, event_r);
    if (!reader->frame_is_open && in->count > 0) {
        enum close_reason bad = read_header(reader, in);
        if (bad != CLOSE_NONE) return bad_event(reader, bad, event_r);
    }
    if (!reader->frame_is_open || (reader->left > 0 && in->count == 0)) {
        *event_r = (struct frame_event){.kind = FRAME_EVENT_MORE};
        return FRAME_EVENT_MORE;
    }
    return is_control(reader->opcode) ? control_event(reader, in, event_r) : data_event(reader, in, event_r);
}
