/* bench/load/reader.h - reads what a server sends: frames without masks (RFC 6455 5.1), cut at any byte.
 *
 * Test messages are recognised as they come and never gathered: of each only its stamp is kept, its filler is
 * compared on the way. So a reader's memory does not depend on the size of messages. Where messages are events, which
 * wrap them in JSON, the reader gives whole ones, gathered only if they come in pieces. Pure; one thread. */
#pragma once

#include "bench/load/stamp.h"
#include "core/bytes.h"
#include "core/text.h"
#include "net/frame.h"

#define READER_ENVELOPE_BYTES_MAX 1024 /* around a message's payload in an event */

struct span;

enum reader_event {
    READER_MORE,    /* the input is eaten */
    READER_MESSAGE, /* a whole message: `stamp` and `message_bytes` */
    READER_PING,    /* answer with `control` */
    READER_CLOSE,   /* the server says goodbye: `control` holds its code and reason */
    READER_BAD,     /* what came is no frame or no test message; every later call says the same */
};

struct reader {
    uint64_t left;                          /* payload bytes of the open frame still to come */
    uint32_t message_bytes;                 /* of the message so far */
    uint8_t header[FRAME_HEADER_BYTES_MAX]; /* of a frame, as far as it has come */
    uint8_t header_count;
    uint8_t opcode; /* of the open frame */
    bool is_final;
    bool is_in_frame;
    bool is_in_message; /* a message has begun and not ended */
    bool checks_filler;
    bool gathers; /* then `whole` is set, and no stamp */
    uint8_t stamp[STAMP_BYTES];
    const char *bad;   /* READER_BAD: what is wrong */
    struct text whole; /* READER_MESSAGE: it is valid until the next call, or as long as its input */
    struct span *gathered;
    uint8_t control_count;
    uint8_t control[FRAME_CONTROL_BYTES_MAX];
};

void reader_init(struct reader *reader, bool checks_filler, bool gathers);
void reader_fini(struct reader *reader);

/* Eats from the front of `in` up to the end of the next event. Call until it says MORE. */
enum reader_event reader_next(struct reader *reader, struct bytes *in);
