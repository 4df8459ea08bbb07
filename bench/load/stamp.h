/* bench/load/stamp.h - what a test message carries: who sent it, its number, when it was due; then filler.
 *
 * All of it is ASCII that JSON leaves as it is, so that text frames and events can carry it: 8, 8 and 16
 * hexadecimal digits, then a fixed pattern that readers compare, so that a byte changed, moved or lost on the way
 * does not pass. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    STAMP_BYTES = 32,
    PAYLOAD_BYTES_MAX = 65536,
};

struct stamp {
    uint32_t publisher; /* its part of the load and, in the lower LAYOUT_MEMBERS_BITS, its connection there */
    uint32_t sequence;  /* the publisher's messages, from 0 */
    uint64_t due_ns;    /* bench/clock.h, of this machine */
};

void stamp_write(uint8_t to[STAMP_BYTES], const struct stamp *stamp);
/* False: these are not the digits that stamp_write() writes. */
bool stamp_read(const uint8_t from[STAMP_BYTES], struct stamp *stamp_r);

/* How long this message is, of any length from min to max: known to its sender and to its readers. */
uint32_t stamp_payload_bytes(const struct stamp *stamp, uint32_t min, uint32_t max);

/* Writes the filler as it stands at `offset` of a payload. */
void filler_write(uint8_t *to, size_t count, size_t offset);
/* Compares; offset + count is at most PAYLOAD_BYTES_MAX. Prepared by the first filler_prepare(). */
bool filler_matches(const uint8_t *bytes, size_t count, size_t offset);
/* Once, before filler_matches(). */
void filler_prepare(void);
