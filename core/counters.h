/* core/counters.h - what a shard counts, from two tables: core/counters.def, and one counter for each close reason.
 *
 * Threads:  the owner adds and subtracts, any thread reads at any time. One writer needs no atomic addition: it loads
 *           plainly and stores whole, so readers see an old value or a new one, never half of one.
 * Meaning:  values are read one after the other, so a set of them is no snapshot. A gauge may rise on one shard and
 *           fall on another (the last to drop a message frees it); one shard's gauge then lies below zero, wrapped,
 *           and only counters_sum() over all shards says how many there are.
 * A zeroed struct counts from zero; there is nothing to init or fini. */
#pragma once

#include "core/close_reason.h"

#include <ck_pr.h>
#include <stdint.h>

enum counter {
#define COUNTER(name, kind, text) COUNTER_##name,
#include "core/counters.def"
#undef COUNTER
    COUNTER_CLOSED, /* the first of CLOSE_REASONS_MAX; see counter_of_close() */
    COUNTERS_MAX = COUNTER_CLOSED + CLOSE_REASONS_MAX
};

enum counter_kind {
    COUNTER_KIND_COUNT, /* only grows */
    COUNTER_KIND_GAUGE, /* how many there are now */
};

/* 128 bytes: processors fetch cache lines in pairs, and a neighbour's stores must not slow the owner's. */
struct counters {
    _Alignas(128) uint64_t values[COUNTERS_MAX];
};

/* Owner. */
static inline void counter_add(struct counters *counters, enum counter counter, uint64_t n)
{
    ck_pr_store_64(&counters->values[counter], counters->values[counter] + n);
}

/* Owner; gauges only. */
static inline void counter_subtract(struct counters *counters, enum counter counter, uint64_t n)
{
    ck_pr_store_64(&counters->values[counter], counters->values[counter] - n);
}

/* Any thread: one shard's value. */
static inline uint64_t counter_get(const struct counters *counters, enum counter counter)
{
    return ck_pr_load_64(&counters->values[counter]);
}

/* Any thread: the value over all shards. A gauge caught between two shards, fallen here and not yet risen there,
 * reads as 0 rather than as a huge number. */
uint64_t counters_sum(const struct counters *const *sets, uint32_t sets_count, enum counter counter);

/* The counter of connections closed for this reason. That of CLOSE_NONE stays 0 unless we have a bug. */
static inline enum counter counter_of_close(enum close_reason reason)
{
    return (enum counter)(COUNTER_CLOSED + (unsigned)reason);
}

/* Static and never NULL. Names are lower case: "messages_received", "closed_peer_gone". */
const char *counter_name(enum counter counter);
const char *counter_text(enum counter counter);
enum counter_kind counter_kind(enum counter counter);
