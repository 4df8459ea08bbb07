/* server/system/worker.h - a thread beside the shards, such as the store's: it sleeps at its doorbell until there is
 * something to do, and ends when it is told to stop.
 *
 * Threads: all but worker_is_stopping() is for the thread that starts it; the doorbell may be rung by any. */
#pragma once

#include "core/rc.h"
#include "server/system/doorbell.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* All zero: not made, which worker_stop() and worker_fini() accept. */
struct worker {
    const char *name; /* in the log */
    void (*run)(void *owner);
    void *owner;
    pthread_t thread;
    bool has_doorbell, has_thread;
    atomic_bool is_stopping;
    struct doorbell doorbell;
};

/* Makes its doorbell. RC_EKERNEL: no descriptor is left. */
enum rc worker_init(struct worker *worker);
/* Calls run(owner) on a thread of its own, which gets no signal but those that it crashes of:
 * the others are for the threads that expect them. The name,
 * of which the log shows 15 bytes, outlives it. RC_EKERNEL, with errno: the thread cannot be made. */
enum rc worker_start(struct worker *worker, const char *name, void (*run)(void *owner), void *owner);
/* Has worker_stop() been called? Then run() is to return. If it has work left it does not sleep before: the ring of
 * the stop may have been heard already. */
bool worker_is_stopping(const struct worker *worker);
/* Tells it to end, and waits until it has. */
void worker_stop(struct worker *worker);
/* Gives back the doorbell of a worker that has been stopped, or never started. */
void worker_fini(struct worker *worker);
