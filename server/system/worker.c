/* server/system/worker.c - making a thread, telling it to stop, joining it. */
#include "server/system/worker.h"

#include "server/system/crash.h"
#include "server/system/log.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>

enum rc worker_init(struct worker *worker)
{
    worker->has_doorbell = doorbell_init(&worker->doorbell) == RC_OK;
    return worker->has_doorbell ? RC_OK : RC_EKERNEL;
}

static void *run(void *argument)
{
    const struct worker *worker = argument;
    log_thread_init(worker->name);
    crash_thread_init();
    worker->run(worker->owner);
    log_thread_fini();
    return NULL;
}

enum rc worker_start(struct worker *worker, const char *name, void (*run_owner)(void *owner), void *owner)
{
    sigset_t all, before;
    assert(worker->has_doorbell && !worker->has_thread);
    worker->name = name;
    worker->run = run_owner;
    worker->owner = owner;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->has_thread = failed == 0;
    errno = failed;
    return worker->has_thread ? RC_OK : RC_EKERNEL;
}

bool worker_is_stopping(const struct worker *worker)
{
    return atomic_load(&worker->is_stopping);
}

void worker_stop(struct worker *worker)
{
    if (!worker->has_thread) return;
    atomic_store(&worker->is_stopping, true);
    doorbell_ring_anyway(&worker->doorbell);
    pthread_join(worker->thread, NULL);
    worker->has_thread = false;
}

void worker_fini(struct worker *worker)
{
    assert(!worker->has_thread);
    if (worker->has_doorbell) doorbell_fini(&worker->doorbell);
    worker->has_doorbell = false;
}
