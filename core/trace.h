/* core/trace.h - what happened last to a shard, for whoever asks why it crashed or stands still.
 *
 * The last TRACE_EVENTS events, from the table core/trace.def, each newer one over the oldest. Kept in every build: an
 * event is three stores, so nothing has to be switched on before something goes wrong.
 * Threads:   the owner notes. Any thread, and any signal handler, reads at any time and gets whole events.
 * Secrecy:   events are numbers: slots, kinds, reasons, sizes; never a byte that a peer or a backend sent.
 * A zeroed struct is empty; there is nothing to init or fini. */
#pragma once

#include <ck_pr.h>
#include <stdint.h>

#define TRACE_EVENTS 256 /* a power of two; 4 KiB, which stay in the nearest cache */

enum trace_kind {
#define TRACE(name, text) TRACE_##name,
#include "core/trace.def"
#undef TRACE
    TRACE_KINDS_MAX
};

/* Which fields count, the kind says. */
struct trace_event {
    uint32_t at_ms; /* the shard's clock, its low 32 bits; set by trace_note() */
    uint8_t kind;   /* enum trace_kind */
    uint8_t what;
    uint16_t from;
    uint32_t slot;
    uint32_t number;
};

_Static_assert(sizeof(struct trace_event) == 16, "stored as two words");
_Static_assert((TRACE_EVENTS & (TRACE_EVENTS - 1)) == 0, "positions are masked");

struct trace {
    uint64_t count;   /* of events since the beginning */
    uint32_t now_ms;  /* of the events to come: set once a turn */
    uint32_t at_hand; /* the slot of the connection that is served, and 1; 0: none is */
    uint64_t words[TRACE_EVENTS][2];
};

/* Owner. */
static inline void trace_note(struct trace *trace, struct trace_event event)
{
    uint64_t *words = trace->words[trace->count & (TRACE_EVENTS - 1)];
    ck_pr_store_64(&words[0], trace->now_ms | (uint64_t)event.kind << 32 | (uint64_t)event.what << 40 |
                                  (uint64_t)event.from << 48);
    ck_pr_store_64(&words[1], event.slot | (uint64_t)event.number << 32);
    ck_pr_fence_store(); /* the event, then that it is there */
    ck_pr_store_64(&trace->count, trace->count + 1);
}

/* Owner: from here on what happens is about this connection. */
static inline void trace_hold(struct trace *trace, uint32_t slot)
{
    ck_pr_store_32(&trace->at_hand, slot + 1);
}

/* Owner: from here on what happens is about no connection. */
static inline void trace_let_go(struct trace *trace)
{
    ck_pr_store_32(&trace->at_hand, 0);
}

/* Any thread, also in a signal handler: copies out the newest events, at most events_max and TRACE_EVENTS - 1 of them,
 * the oldest first; returns how many. What is overwritten meanwhile is left out. */
uint32_t trace_read(const struct trace *trace, struct trace_event *events_r, uint32_t events_max);

/* The text of a kind of event, static, never NULL, with its places as core/trace.def says. Any number: an event may be
 * read of broken memory. */
const char *trace_text(unsigned kind);
