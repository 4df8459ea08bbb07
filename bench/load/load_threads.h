/* bench/load/load_threads.h - the threads of a run with their parts, and the main thread, which leads them through the
 * phases, gathers what they have measured, and shows how far it is. */
#pragma once

#include "bench/load/load.h"
#include "bench/load/usage.h"

#include <semaphore.h>

/* What the threads do, in this order. Each tells when it is done; the main thread begins the next. */
enum load_phase {
    LOAD_CONNECTING,
    LOAD_PUBLISHING, /* and waiting for what is under way */
    LOAD_COMPLETING, /* those that stay have all; guests may lag behind */
    LOAD_ENDING,
};

/* A span of the run, from one moment to another: what it took. */
struct load_span {
    uint64_t ns;
    uint64_t server_cpu_ns;
    int64_t server_rss_bytes; /* growth */
    uint64_t own_cpu_ns;
};

struct load_run {
    const struct load_options *options;
    struct load *loads;
    uint32_t loads_count;
    _Atomic uint32_t phase;
    _Atomic uint32_t failed; /* the first to fail, from 1; 0: none. loads_count + 1: the main thread */
    sem_t progress;          /* posted when a thread is done with a phase, or fails */
    uint64_t begun_ns;       /* of publishing; set before that phase, as: */
    uint64_t end_ns;

    struct load_span began; /* where the clocks stood when the span under way began */
    struct load_result result;
    struct series_point recent; /* since the last line of progress */
    uint64_t shown_ns;
    bool shows; /* progress, on a terminal */
};
