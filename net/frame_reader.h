/* net/frame_reader.h - reads a client's frames (RFC 6455 5) from input that may be cut at any byte.
 *
 * Pure: no allocation, no sockets, no clock. The reader keeps a few dozen bytes and never payload: payload is
 * unmasked in place in the caller's input and handed out as pieces that point into it, valid as long as that input.
 * A message that lies whole in one input comes out as one piece with first and last set: nothing is copied.
 *
 * Every rule is applied at the byte that shows the breach: a bad opcode after one byte, a missing mask after two, a
 * message that grows too big at the frame header that says so, bad UTF-8 at the bad byte, also in mid-frame.
 * What a message's size cannot bound is not bounded: a run of empty fragments may be endless.
 *
 * After our own close frame is out, go on calling and drop FRAME_EVENT_DATA: the peer's close still has to come. */
#pragma once

#include "core/bytes.h"
#include "core/close_reason.h"
#include "net/frame.h"
#include "net/utf8.h"

#include <stdbool.h>
#include <stdint.h>

/* Fields are the reader's own. */
struct frame_reader {
    uint32_t message_bytes_max;
    uint32_t message_bytes; /* promised by the headers of the open message so far */
    uint32_t left;          /* payload bytes of the open frame still to come */
    uint32_t mask;
    struct utf8 utf8;                              /* of the open text message; whole between two */
    enum close_reason bad : 8;                     /* why the reader gave up; CLOSE_NONE: it did not */
    uint8_t header[FRAME_CLIENT_HEADER_BYTES_MAX]; /* the start of a header cut by the end of an input */
    uint8_t header_count;
    uint8_t phase;              /* payload bytes of the open frame so far, modulo 4 */
    uint8_t opcode;             /* of the open frame */
    uint8_t message_opcode;     /* FRAME_TEXT or FRAME_BINARY while a message is open, else 0 */
    bool frame_is_open : 1;     /* its header is read, its last piece not handed out */
    bool frame_is_final : 1;    /* it has FIN set */
    bool message_has_begun : 1; /* the open message has handed out its first piece */
    bool control_has_begun : 1; /* so has the open control frame */
};

enum frame_event_kind {
    FRAME_EVENT_MORE,    /* the input is eaten; call again with more */
    FRAME_EVENT_DATA,    /* the next piece of a text or binary message */
    FRAME_EVENT_CONTROL, /* the next piece of a close, ping or pong; they may stand between pieces of a message */
    FRAME_EVENT_BAD,     /* the client broke a rule; close with `reason`. Every later call says the same. */
};

struct frame_event {
    enum frame_event_kind kind;
    enum frame_opcode opcode; /* DATA: FRAME_TEXT or FRAME_BINARY, also for pieces of its continuations */
    bool is_first;            /* first piece of the message or control frame */
    bool is_last;             /* last piece of it */
    struct bytes payload;     /* DATA, CONTROL: unmasked, inside the input, writable; may be empty. All pieces of a
                               * message are at most message_bytes_max bytes, those of a control frame
                               * FRAME_CONTROL_BYTES_MAX. */
    enum close_reason reason; /* BAD: CLOSE_BAD_FRAME, CLOSE_BAD_TEXT or CLOSE_TOO_BIG; else CLOSE_NONE */
};

/* A message, all fragments together, may have at most message_bytes_max bytes; a longer one is CLOSE_TOO_BIG. */
void frame_reader_init(struct frame_reader *reader, uint32_t message_bytes_max);

/* Eats from the front of `in` up to the end of the next event, fills *event_r and returns its kind. Call until it
 * says MORE (the whole input is eaten then) or BAD. Every field of *event_r is set. */
enum frame_event_kind frame_reader_next(struct frame_reader *reader, struct bytes *in, struct frame_event *event_r);
