/* core/history.h - the window: the last messages of a channel, held in memory by its home.
 *
 * Messages stand by offset, ascending; there may be gaps between offsets, which mean nothing. What once stood here and
 * does not any more is remembered by one number: a reader who was not further than that cannot get all that it missed
 * from here.
 * Threads:   one shard.
 * Ownership: a message is one reference.
 * Memory:    a ring of pointers that doubles; bytes counts what messages and pointers take.
 * Cost:      appending and forgetting are constant, looking for an offset is a binary search. */
#pragma once

#include "core/message.h"
#include "core/position.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct counters;

/* The clock was wrong when a message was published that is further ahead of it than this. */
#define HISTORY_AHEAD_MS UINT64_C(60000)

struct history {
    struct position last;      /* the epoch, and the offset given last */
    uint64_t forgotten;        /* messages up to this offset are missing here */
    uint64_t ahead;            /* messages up to this offset were ahead of the clock when that was last asked */
    struct message **messages; /* a ring */
    uint32_t capacity;         /* power of two, or 0 */
    uint32_t first;
    uint32_t count;
    uint64_t bytes;
};

struct history_bounds {
    uint64_t messages;
    uint64_t bytes;
    uint64_t ttl_ms;
};

/* Drops all messages. */
void history_fini(struct history *history, struct counters *counters);

/* Takes over a reference. The message's offset is larger than all here. RC_ENOMEM: not taken. */
enum rc history_append(struct history *history, struct message *message);
/* Notes that a message which is not kept here has this offset, perhaps one below the last. */
void history_skip(struct history *history, uint64_t offset);
/* Forgets the oldest; there is one. */
void history_forget_oldest(struct history *history, struct counters *counters);
/* When the oldest message, there is one, is too old. Of one that is ahead of the clock it is known that it is no
 * younger than the next one. Times are since 1970, as messages' are. */
uint64_t history_expires_ms(struct history *history, uint64_t ttl_ms, uint64_t now_ms);
/* Forgets the oldest until all is within the bounds. */
void history_trim(struct history *history, struct counters *counters, const struct history_bounds *bounds,
                  uint64_t now_ms);

/* The message at an index, 0 is the oldest. */
static inline struct message *history_at(const struct history *history, uint32_t index)
{
    return history->messages[(history->first + index) & (history->capacity - 1)];
}

/* The index of the first message behind that offset; count: none is. */
uint32_t history_behind(const struct history *history, uint64_t offset);

/* Are all messages behind that offset here? */
static inline bool history_has_all_behind(const struct history *history, uint64_t offset)
{
    return offset >= history->forgotten && offset <= history->last.offset;
}

/* What a message takes. */
uint64_t history_message_bytes(const struct message *message);
