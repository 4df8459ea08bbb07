/* bench/pieces/bench_encode.c - a published payload becomes a message: the frame of a room, the event of a channel.
 *
 * Made and dropped again, as a message without readers would be; so an operation has the allocator's part in it. The
 * event's data is written as a JSON string: plain letters, or with a character to escape in every eighth place. */
#include "bench/pieces/bench.h"
#include "bench/pieces/pieces.h"
#include "core/counters.h"
#include "core/message.h"
#include "net/frame.h"
#include "server/protocol/event.h"

#include <stdio.h>
#include <stdlib.h>

#define SEED         4
#define PAYLOAD_MAX  4096
#define RUN_BYTES    (UINT64_C(1) << 27)
#define RUN_MESSAGES (UINT64_C(1) << 20)
#define QUOTE_EVERY  8

struct encode {
    struct counters counters;
    struct name name;
    char payload[PAYLOAD_MAX];
    uint32_t count;
    uint64_t messages;
    uint64_t (*encode)(struct encode *encode);
};

/* As server/component/lobby.c does it. */
static uint64_t encode_raw(struct encode *encode)
{
    uint8_t header[FRAME_HEADER_BYTES_MAX];
    size_t header_bytes = frame_header_write(header, FRAME_TEXT, encode->count);
    struct message *message =
        message_new_of(&encode->counters, &encode->name, FORM_RAW, (uint32_t)header_bytes + encode->count);
    if (message == NULL) abort(); /* one small block: the run means nothing any more */
    uint8_t *frame = message_frame(message, FORM_RAW);
    memcpy(frame, header, header_bytes);
    memcpy(frame + header_bytes, encode->payload, encode->count);
    uint64_t seen = frame[header_bytes + encode->count - 1];
    message_drop(&encode->counters, message);
    return seen;
}

static uint64_t encode_event(struct encode *encode)
{
    struct event event = {.name = text_of("client-message"), .data = {encode->payload, encode->count}};
    struct message *message = event_message(&encode->counters, &encode->name, &event);
    if (message == NULL) abort();
    uint64_t seen = message->frame_bytes[FORM_EVENT] + message_frame(message, FORM_EVENT)[message->data.at + 1];
    message_drop(&encode->counters, message);
    return seen;
}

static uint64_t run(void *context)
{
    struct encode *encode = context;
    uint64_t hash = 0;
    for (uint64_t i = 0; i < encode->messages; i++) {
        hash = bench_mix(hash, encode->encode(encode));
    }
    return hash;
}

static void write_payload(struct encode *encode, bool has_quotes)
{
    uint64_t random = SEED;
    for (uint32_t i = 0; i < encode->count; i++) {
        bool is_quote = has_quotes && i % QUOTE_EVERY == 0;
        encode->payload[i] = is_quote ? '"' : (char)('a' + bench_random(&random) % 26);
    }
}

void bench_encode(struct bench *bench)
{
    static const struct {
        const char *name;
        uint64_t (*encode)(struct encode *encode);
        bool has_quotes;
    } kinds[] = {{"raw", encode_raw, false}, {"event", encode_event, false}, {"event_quotes", encode_event, true}};
    static const uint32_t sizes[] = {16, 64, 1024, PAYLOAD_MAX};
    static struct encode encode;
    for (size_t i = 0; i < 4 * sizeof kinds / sizeof kinds[0]; i++) {
        char name[32];
        uint32_t count = sizes[i % 4];
        snprintf(name, sizeof name, "encode/%s/%u", kinds[i / 4].name, count);
        if (!bench_wants(bench, name)) continue;
        uint64_t most = RUN_BYTES / count;
        encode = (struct encode){.name = name_of(0, text_of("private-bench")),
                                 .count = count,
                                 .messages = bench_size(bench, most < RUN_MESSAGES ? most : RUN_MESSAGES),
                                 .encode = kinds[i / 4].encode};
        write_payload(&encode, kinds[i / 4].has_quotes);
        struct bench_piece piece = {.name = name,
                                    .operations = encode.messages,
                                    .bytes = encode.messages * count,
                                    .run = run,
                                    .context = &encode};
        bench_measure(bench, &piece);
    }
}
