/* server/cluster/stream_id.h - places in a channel's history as Redis has them, EPOCH-OFFSET, and as clients have them
 * (core/position.h). An epoch is the millisecond since 1970 in which it began; to clients it is told as eight digits to
 * the base of 36, which are enough until the year 2059. Plain values; any thread. */
#pragma once

#include "core/position.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

#define STREAM_ID_BYTES_MAX 42                      /* with the closing zero */
#define STREAM_EPOCH_MAX    UINT64_C(2821109907455) /* 36^8 - 1 */

struct stream_id {
    uint64_t epoch;  /* 0: no place at all */
    uint64_t offset; /* 0: before the epoch's first message */
};

/* Terminated by a zero; returns a view of it. */
struct text stream_id_write(char to[STREAM_ID_BYTES_MAX], const struct stream_id *id);
/* Takes an id from the front; *text is then what is left. False: there is none, and *text as it was. */
bool stream_id_take(struct text *text, struct stream_id *id_r);
/* The text as a whole is an id. */
bool stream_id_read(struct text text, struct stream_id *id_r);

/* The same place; epochs are at most STREAM_EPOCH_MAX, and 0 is "", no place. */
struct position stream_id_position(const struct stream_id *id);
/* False: its epoch is no number of this kind, so no stream has the place. */
bool stream_id_of_position(const struct position *position, struct stream_id *id_r);
