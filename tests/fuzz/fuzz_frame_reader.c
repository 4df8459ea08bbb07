/* tests/fuzz/fuzz_frame_reader.c - any bytes from a client, in one piece and in slices, mean the same frames.
 *
 * The first byte of the input seeds the slicing, the second sets the bound on messages. Aborts when the two ways
 * differ, or when a promise of frame_reader.h is broken: sizes, order of first and last, UTF-8. */
#include "net/frame_reader.h"
#include "tests/fuzz/fuzz.h"

/* What came out, pieces joined: kinds, opcodes, payload and the end of each message and control frame, hashed. */
struct digest {
    uint64_t hash; /* of whole messages and control frames, in the order they ended */
    uint64_t message_hash;
    uint64_t control_hash;
    uint64_t message_bytes;
    uint64_t control_bytes;
    struct utf8 utf8;
    bool message_is_open;
    bool control_is_open;
    enum close_reason bad;
};

static void mix(uint64_t *hash, const void *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *hash = (*hash ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
}

static void take_data(struct digest *digest, const struct frame_event *event, uint32_t message_bytes_max)
{
    FUZZ_CHECK(event->opcode == FRAME_TEXT || event->opcode == FRAME_BINARY);
    FUZZ_CHECK(event->is_first == !digest->message_is_open);
    if (event->is_first) {
        digest->message_bytes = digest->message_hash = 0;
        digest->utf8 = (struct utf8){0};
    }
    digest->message_bytes += event->payload.count;
    FUZZ_CHECK(digest->message_bytes <= message_bytes_max);
    if (event->opcode == FRAME_TEXT) {
        FUZZ_CHECK(utf8_check(&digest->utf8, event->payload.at, event->payload.count));
        FUZZ_CHECK(!event->is_last || utf8_is_complete(&digest->utf8));
    }
    mix(&digest->message_hash, event->payload.at, event->payload.count);
    digest->message_is_open = !event->is_last;
    if (!event->is_last) return;
    mix(&digest->hash, &event->opcode, sizeof event->opcode);
    mix(&digest->hash, &digest->message_hash, sizeof digest->message_hash);
}

static void take_control(struct digest *digest, const struct frame_event *event)
{
    FUZZ_CHECK(event->opcode == FRAME_CLOSE || event->opcode == FRAME_PING || event->opcode == FRAME_PONG);
    FUZZ_CHECK(event->is_first == !digest->control_is_open);
    if (event->is_first) digest->control_bytes = digest->control_hash = 0;
    digest->control_bytes += event->payload.count;
    FUZZ_CHECK(digest->control_bytes <= FRAME_CONTROL_BYTES_MAX);
    mix(&digest->control_hash, event->payload.at, event->payload.count);
    digest->control_is_open = !event->is_last;
    if (!event->is_last) return;
    mix(&digest->hash, &event->opcode, sizeof event->opcode);
    mix(&digest->hash, &digest->control_hash, sizeof digest->control_hash);
}

/* Feeds one slice; false: it was bad. */
static bool feed(struct frame_reader *reader, struct bytes in, struct digest *digest)
{
    struct frame_event event;
    for (;;) {
        size_t before = in.count;
        enum frame_event_kind kind = frame_reader_next(reader, &in, &event);
        FUZZ_CHECK(kind == event.kind && in.count <= before && !in.ran_short);
        switch (kind) {
        case FRAME_EVENT_MORE:
            FUZZ_CHECK(in.count == 0);
            return true;
        case FRAME_EVENT_DATA:
            take_data(digest, &event, reader->message_bytes_max);
            break;
        case FRAME_EVENT_CONTROL:
            take_control(digest, &event);
            break;
        case FRAME_EVENT_BAD:
            FUZZ_CHECK(event.reason == CLOSE_BAD_FRAME || event.reason == CLOSE_BAD_TEXT ||
                       event.reason == CLOSE_TOO_BIG);
            digest->bad = event.reason;
            return false;
        }
    }
}

/* slicing 0: all in one. */
static struct digest read_all(const uint8_t *input, size_t count, uint32_t message_bytes_max, uint32_t slicing)
{
    struct frame_reader reader;
    struct digest digest = {.bad = CLOSE_NONE};
    frame_reader_init(&reader, message_bytes_max);
    bool is_good = true;
    while (count > 0 && is_good) {
        size_t slice_bytes = slicing != 0 ? fuzz_slice_bytes(&slicing, count) : count;
        struct bytes slice = fuzz_slice(input, slice_bytes);
        is_good = feed(&reader, slice, &digest);
        free(slice.at);
        input += slice_bytes;
        count -= slice_bytes;
    }
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    if (count < 2) return 0;
    uint32_t message_bytes_max = (uint32_t)input[1] * input[1];
    struct digest whole = read_all(input + 2, count - 2, message_bytes_max, 0);
    struct digest sliced = read_all(input + 2, count - 2, message_bytes_max, input[0] + 1u);
    FUZZ_CHECK(whole.hash == sliced.hash);
    FUZZ_CHECK(whole.bad == sliced.bad);
    return 0;
}
