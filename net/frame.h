/* net/frame.h - the WebSocket frame (RFC 6455 5.2): what a server writes, masks, close payloads.
 *
 * Pure functions over the caller's memory. The frames a client sends are read by net/frame_reader. */
#pragma once

#include "core/close_reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_opcode {
    FRAME_CONTINUATION = 0x0,
    FRAME_TEXT = 0x1,
    FRAME_BINARY = 0x2,
    FRAME_CLOSE = 0x8,
    FRAME_PING = 0x9,
    FRAME_PONG = 0xa,
};

enum {
    FRAME_HEADER_BYTES_MAX = 10,        /* as a server writes it: no mask */
    FRAME_CLIENT_HEADER_BYTES_MAX = 14, /* as a client writes it */
    FRAME_CONTROL_BYTES_MAX = 125,      /* payload of a close, ping or pong */
};

/* Writes the header of an unmasked frame that is a whole message; returns its 2, 4 or 10 bytes. `to` has room for
 * FRAME_HEADER_BYTES_MAX; length is below 2^63 (at most FRAME_CONTROL_BYTES_MAX for control opcodes). */
size_t frame_header_write(uint8_t *to, enum frame_opcode opcode, uint64_t length);

/* How long the header of an unmasked frame is. */
static inline size_t frame_header_bytes(const uint8_t *frame)
{
    return frame[1] < 126 ? 2 : frame[1] == 126 ? 4 : FRAME_HEADER_BYTES_MAX;
}

/* Takes the mask off (or puts it on) in place, at any alignment. `mask` holds the four key bytes as they lay on the
 * wire (memcpy, no byte order); `phase` is how many payload bytes of the frame came before this piece. */
void frame_unmask(uint8_t *payload, size_t count, uint32_t mask, uint32_t phase);

/* Writes a close frame's payload: the code, then as much of the UTF-8 `reason` (NULL: none) as fits in whole
 * characters. Returns its bytes, at most FRAME_CONTROL_BYTES_MAX, for which `to` has room. Code 0: no payload. */
size_t frame_close_write(uint8_t *to, uint16_t code, const char *reason);

/* Reads a whole, unmasked close payload (RFC 6455 5.5.1, 7.4). CLOSE_PEER_CLOSED: fine; *code_r is the peer's code,
 * or 1005 when it named none; its reason text, if any, stands at payload + 2. CLOSE_BAD_FRAME: half a code, or one
 * that must not be sent. CLOSE_BAD_TEXT: the reason is not UTF-8. On both *code_r stays as it was. */
enum close_reason frame_close_read(const uint8_t *payload, size_t count, uint16_t *code_r);
