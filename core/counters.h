/* core/counters.h - what a shard counts and measures, from three tables: core/counters.def, one counter for each close
 * reason, and core/histograms.def.
 *
 * Threads:  the owner adds and subtracts, any thread reads at any time. One writer needs no atomic addition: it loads
 *           plainly and stores whole, so readers see an old value or a new one, never half of one.
 * Meaning:  values are read one after the other, so a set of them is no snapshot. A gauge may rise on one shard and
 *           fall on another (the last to drop a message frees it); one shard's gauge then lies below zero, wrapped,
 *           and only counters_sum() over all shards says how many there are.
 * A zeroed struct counts from zero; there is nothing to init or fini. */
#pragma once

#include "core/close_reason.h"
#include "core/histogram.h"
#include "core/letter.h"

#include <ck_pr.h>
#include <stdint.h>

enum counter {
#define COUNTER(name, ...) COUNTER_##name,
#include "core/counters.def"
#undef COUNTER
    COUNTER_CLOSED, /* the first of CLOSE_REASONS_MAX; see counter_of_close() */
    COUNTERS_MAX = COUNTER_CLOSED + CLOSE_REASONS_MAX
};

enum counter_kind {
    COUNTER_KIND_COUNT, /* only grows */
    COUNTER_KIND_GAUGE, /* how many there are now */
};

/* What is told of each shard, and what only of all together. */
enum counter_scope {
    COUNTER_SCOPE_SERVER,
    COUNTER_SCOPE_SHARD,
};

enum counter_unit {
    COUNTER_UNIT_NONE,
    COUNTER_UNIT_BYTES,
    COUNTER_UNIT_SECONDS,
    COUNTER_UNIT_MS, /* told in seconds */
};

enum histogram_kind {
#define HISTOGRAM(name, ...) HISTOGRAM_##name,
#include "core/histograms.def"
#undef HISTOGRAM
    HISTOGRAMS_MAX
};

/* 128 bytes: processors fetch cache lines in pairs, and a neighbour's stores must not slow the owner's. */
struct counters {
    _Alignas(128) uint64_t values[COUNTERS_MAX];
    /* The owner's latest look at its clock, monotonic, by which messages are stamped and deliveries measured; 0: it
     * has none. */
    uint64_t now_us;
    struct histogram histograms[HISTOGRAMS_MAX];
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

/* Owner; for a gauge that is the size of a table. */
static inline void counter_set(struct counters *counters, enum counter counter, uint64_t n)
{
    ck_pr_store_64(&counters->values[counter], n);
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

/* How it is told in metrics: the name without what stands before and behind every one; "": it is not told. The closed_*
 * are told as one metric with a label, whose name is theirs all. */
struct counter_metric {
    const char *name;
    const char *label; /* reason="peer_gone"; NULL: none */
    enum counter_scope scope;
    enum counter_unit unit;
};
struct counter_metric counter_metric(enum counter counter);

/* The rows of core/histograms.def, likewise. */
const char *histogram_name(enum histogram_kind kind);
const char *histogram_text(enum histogram_kind kind);
struct counter_metric histogram_metric(enum histogram_kind kind);

/* All sets of a server: those of the shards first, by index, then those of other threads.
 * Threads: the main thread adds; any thread reads, also meanwhile. The sets outlive the readers. */
#define COUNTER_SETS_MAX (SHARDS_MAX + 8)
struct counter_sets {
    const struct counters *sets[COUNTER_SETS_MAX];
    uint32_t count; /* atomic */
    uint32_t shards_count;
    uint64_t begun_ms; /* when the server began to count, since 1970 */
};
void counter_sets_add(struct counter_sets *sets, const struct counters *counters);
/* Over all sets. */
uint64_t counter_sets_sum(const struct counter_sets *sets, enum counter counter);
struct histogram counter_sets_histogram(const struct counter_sets *sets, enum histogram_kind kind);
