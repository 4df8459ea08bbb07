/* bench/pieces/bench_frame.c - a client's frames read and unmasked, by size of message.
 *
 * The mask comes off in place, so a stream can be read once; read again, the mask comes back on, which costs the
 * same. A run therefore makes an even number of passes and leaves the stream as it was. Binary messages: what UTF-8
 * costs is measured by itself. */
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "net/frame_reader.h"

#include <stdio.h>
#include <stdlib.h>

#define SEED         1
#define STREAM_BYTES (UINT64_C(1) << 18) /* stays in a second-level cache, as fresh input does */
#define RUN_BYTES    (UINT64_C(1) << 28)
#define RUN_MESSAGES (UINT64_C(1) << 21) /* small ones: enough of them, short of RUN_BYTES */
#define MESSAGE_MAX  65536

struct stream {
    uint8_t *bytes;
    size_t count;
    uint64_t messages;
    uint64_t passes; /* even */
};

static size_t write_frame(uint8_t *to, uint32_t payload_bytes, uint64_t *random)
{
    size_t count = frame_header_write(to, FRAME_BINARY, payload_bytes);
    to[1] |= 0x80; /* masked */
    for (size_t end = count + 4 + payload_bytes; count < end; count++) {
        to[count] = (uint8_t)bench_random(random);
    }
    return count;
}

static enum rc stream_init(struct stream *stream, uint32_t payload_bytes, uint64_t messages, uint64_t passes)
{
    uint64_t random = SEED;
    *stream = (struct stream){.messages = messages, .passes = passes};
    stream->bytes = malloc(messages * (FRAME_CLIENT_HEADER_BYTES_MAX + payload_bytes));
    if (stream->bytes == NULL) return RC_ENOMEM;
    for (uint64_t i = 0; i < messages; i++) {
        stream->count += write_frame(stream->bytes + stream->count, payload_bytes, &random);
    }
    return RC_OK;
}

static uint64_t run(void *context)
{
    struct stream *stream = context;
    uint64_t hash = 0;
    for (uint64_t pass = 0; pass < stream->passes; pass++) {
        struct frame_reader reader;
        struct frame_event event;
        struct bytes in = bytes_of(stream->bytes, stream->count);
        frame_reader_init(&reader, MESSAGE_MAX);
        while (frame_reader_next(&reader, &in, &event) == FRAME_EVENT_DATA) {
            hash = bench_mix(hash, (uint64_t)event.payload.count << 8 | event.payload.at[event.payload.count - 1]);
        }
    }
    return hash;
}

void bench_frame(struct bench *bench)
{
    static const uint32_t sizes[] = {16, 64, 256, 1024, 4096, 16384, 65536};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char name[32];
        struct stream stream;
        snprintf(name, sizeof name, "frame/%u", sizes[i]);
        if (!bench_wants(bench, name)) continue;
        uint64_t in_stream = STREAM_BYTES / sizes[i], in_run = RUN_BYTES / sizes[i];
        uint64_t wanted = bench_size(bench, in_run < RUN_MESSAGES ? in_run : RUN_MESSAGES);
        if (in_stream > wanted) in_stream = wanted;
        uint64_t passes = (wanted / in_stream + 1) / 2 * 2;
        if (stream_init(&stream, sizes[i], in_stream, passes) != RC_OK) {
            bench_unable(bench, name, RC_ENOMEM);
            continue;
        }
        struct bench_piece piece = {.name = name,
                                    .operations = in_stream * passes,
                                    .bytes = in_stream * passes * sizes[i],
                                    .run = run,
                                    .context = &stream};
        bench_measure(bench, &piece);
        free(stream.bytes);
    }
}
