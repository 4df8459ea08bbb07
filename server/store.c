/* server/store.c - the store's thread: jobs in, transactions, jobs out.
 *
 * Not obvious: nothing here waits for more jobs. The group of a commit is whoever asked while the one before was
 * being written, so it grows with the load by itself. */
#include "server/store.h"

#include "core/mailbox.h"
#include "server/clock.h"
#include "server/doorbell.h"
#include "server/log.h"
#include "server/store_log.h"
#include "server/store_work.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH_JOBS   4096
#define JOBS_AT_ONCE 64

/* One shard's; both sides on lines of their own. */
struct client {
    _Alignas(128) struct mailbox *asked;
    struct mailbox *done;
    uint32_t under_way;
    bool has_asked;         /* since it last woke the store */
    _Alignas(128) int wake; /* the shard's signal descriptor; store */
    bool is_answered;       /* since the store last woke it; store */
};

/* What has been taken from the shards, in turns: from `first` on they wait, up to `end` they are done. */
struct jobs {
    struct store_job *jobs[BATCH_JOBS];
    uint32_t from[BATCH_JOBS]; /* shard */
    uint32_t first;
    uint32_t end;
    uint32_t count;
};

struct store {
    struct client *clients;
    uint32_t clients_count;
    uint32_t jobs_max;
    uint32_t first_client; /* whom the next batch begins with; the thread's, as are: */
    struct jobs batch;
    struct store_work work;
    bool has_thread;
    pthread_t thread;
    atomic_bool is_stopping;
    struct doorbell doorbell;
};

/* ---- letters: the one place that knows what a letter carries ---- */

static struct letter job_letter(struct store_job *job)
{
    return (struct letter){.body = job};
}

static struct store_job *job_of(const struct letter *letter)
{
    return letter->body;
}

/* ---- shards ---- */

enum rc store_ask(struct store *store, uint32_t shard, struct store_job *job)
{
    assert(shard < store->clients_count);
    struct client *client = &store->clients[shard];
    if (client->under_way == store->jobs_max) return RC_EFULL;
    struct letter letter = job_letter(job);
    enum rc rc = mailbox_offer(client->asked, &letter);
    assert(rc == RC_OK); /* both queues hold jobs_max */
    client->under_way++;
    client->has_asked = true;
    return rc;
}

void store_wake(struct store *store, uint32_t shard)
{
    assert(shard < store->clients_count);
    struct client *client = &store->clients[shard];
    if (!client->has_asked) return;
    client->has_asked = false;
    doorbell_ring(&store->doorbell);
}

struct store_job *store_receive(struct store *store, uint32_t shard)
{
    assert(shard < store->clients_count);
    struct client *client = &store->clients[shard];
    struct letter letter;
    if (mailbox_receive(client->done, &letter, 1) == 0) return NULL;
    client->under_way--;
    return job_of(&letter);
}

const char *store_trouble(const struct store *store)
{
    return atomic_load(&store->work.trouble);
}

const struct counters *store_counters(const struct store *store)
{
    return &store->work.counters;
}

/* ---- thread: jobs in ---- */

static void take_from(struct store *store, uint32_t shard)
{
    struct jobs *batch = &store->batch;
    struct letter letters[JOBS_AT_ONCE];
    uint32_t count = JOBS_AT_ONCE;
    while (count == JOBS_AT_ONCE && batch->count < BATCH_JOBS) {
        uint32_t room = BATCH_JOBS - batch->count;
        count = mailbox_receive(store->clients[shard].asked, letters, room < JOBS_AT_ONCE ? room : JOBS_AT_ONCE);
        for (uint32_t i = 0; i < count; i++, batch->count++) {
            batch->jobs[batch->count] = job_of(&letters[i]);
            batch->from[batch->count] = shard;
        }
    }
}

/* Takes all that wait, unless some of those taken earlier still do. False: there are none. */
static bool take_jobs(struct store *store)
{
    struct jobs *batch = &store->batch;
    if (batch->first < batch->count) return true;
    batch->first = batch->end = batch->count = 0;
    for (uint32_t i = 0; i < store->clients_count; i++) {
        take_from(store, (store->first_client + i) % store->clients_count);
    }
    store->first_client = (store->first_client + 1) % store->clients_count; /* a crowd does not always come first */
    return batch->count > 0;
}

static bool has_jobs(const struct store *store)
{
    if (store->batch.first < store->batch.count) return true;
    for (uint32_t i = 0; i < store->clients_count; i++) {
        if (!mailbox_is_empty(store->clients[i].asked)) return true;
    }
    return false;
}

/* ---- thread: jobs out ---- */

static void wake_shard(struct client *client)
{
    uint64_t one = 1;
    /* It can only fail when the counter is full of signals that have been seen already. */
    ssize_t written = write(client->wake, &one, sizeof one);
    (void)written;
}

static void answer_jobs(struct store *store)
{
    struct jobs *batch = &store->batch;
    for (; batch->first < batch->end; batch->first++) {
        struct client *client = &store->clients[batch->from[batch->first]];
        struct letter letter = job_letter(batch->jobs[batch->first]);
        enum rc rc = mailbox_offer(client->done, &letter);
        assert(rc == RC_OK); /* it holds all that a shard may have under way */
        (void)rc;
        client->is_answered = true;
    }
    for (uint32_t i = 0; i < store->clients_count; i++) {
        if (store->clients[i].is_answered) wake_shard(&store->clients[i]);
        store->clients[i].is_answered = false;
    }
}

static void run_jobs(struct store *store)
{
    struct jobs *batch = &store->batch;
    batch->end = batch->first + store_work_run(&store->work, batch->jobs + batch->first, batch->count - batch->first);
    answer_jobs(store);
}

/* ---- thread ---- */

static void sleep_a_while(struct store *store)
{
    struct pollfd doorbell = {.fd = store->doorbell.descriptor, .events = POLLIN};
    doorbell_lie_down(&store->doorbell);
    /* The ring of who stops it may have been heard already, with jobs that came before it. */
    bool is_busy = has_jobs(store) || atomic_load(&store->is_stopping);
    int sleep_ms = is_busy ? 0 : store_work_sleep_ms(&store->work);
    if (sleep_ms > 0) poll(&doorbell, 1, sleep_ms); /* whatever ends it, we look around */
    doorbell_get_up(&store->doorbell);
}

static void *run(void *argument)
{
    struct store *store = argument;
    log_thread_init("store");
    while (true) {
        bool is_stopping = atomic_load(&store->is_stopping); /* first: then no job can come after the look at them */
        if (take_jobs(store)) {
            run_jobs(store);
        } else if (is_stopping) {
            break;
        }
        store_work_upkeep(&store->work);
        if (!has_jobs(store)) sleep_a_while(store);
    }
    store_log_close(store->work.log);
    store->work.log = NULL;
    log_thread_fini();
    return NULL;
}

/* ---- life ---- */

/* A queue of n letters holds n - 1. */
static uint32_t queue_letters(uint32_t jobs_max)
{
    uint32_t letters = 4;
    while (letters <= jobs_max) {
        letters *= 2;
    }
    return letters;
}

static enum rc make_clients(struct store *store, const int *wake)
{
    size_t bytes = store->clients_count * sizeof store->clients[0];
    store->clients = aligned_alloc(_Alignof(struct client), bytes);
    if (store->clients == NULL) return RC_ENOMEM;
    memset(store->clients, 0, bytes);
    for (uint32_t i = 0; i < store->clients_count; i++) {
        struct client *client = &store->clients[i];
        client->wake = wake[i];
        client->asked = mailbox_new(queue_letters(store->jobs_max));
        client->done = mailbox_new(queue_letters(store->jobs_max));
        if (client->asked == NULL || client->done == NULL) return RC_ENOMEM;
    }
    return RC_OK;
}

static enum rc start_thread(struct store *store, char *reason_r, size_t reason_size)
{
    sigset_t all, before; /* signals are for the threads that expect them */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&store->thread, NULL, run, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    store->has_thread = failed == 0;
    if (store->has_thread) return RC_OK;
    snprintf(reason_r, reason_size, "store: the thread cannot be started: %s", strerror(failed));
    return RC_EKERNEL;
}

static enum rc start(struct store *store, const struct options *options, const int *wake, char *reason_r,
                     size_t reason_size)
{
    snprintf(reason_r, reason_size, "store: out of memory");
    enum rc rc = make_clients(store, wake);
    if (rc != RC_OK) return rc;
    if (doorbell_init(&store->doorbell) != RC_OK) {
        snprintf(reason_r, reason_size, "store: no descriptor is left: raise RLIMIT_NOFILE");
        return RC_EKERNEL;
    }
    rc = store_log_open(&store->work.log, &store->work.counters, options->data_dir, options->store_sync, reason_r,
                        reason_size);
    if (rc != RC_OK) return rc;
    store->work.sweep_at_ms = monotonic_ms();
    return start_thread(store, reason_r, reason_size);
}

enum rc store_start(struct store **store_r, const struct options *options, const int *wake, uint32_t shards,
                    char *reason_r, size_t reason_size)
{
    struct store *store = aligned_alloc(_Alignof(struct store), sizeof *store);
    if (store == NULL) {
        snprintf(reason_r, reason_size, "store: out of memory");
        return RC_ENOMEM;
    }
    memset(store, 0, sizeof *store);
    store->clients_count = shards;
    store->jobs_max = options->store_jobs_max;
    store->doorbell.descriptor = -1;
    enum rc rc = start(store, options, wake, reason_r, reason_size);
    if (rc == RC_OK) {
        *store_r = store;
        return RC_OK;
    }
    store_free(store);
    return rc;
}

void store_stop(struct store *store)
{
    if (store == NULL || !store->has_thread) return;
    atomic_store(&store->is_stopping, true);
    doorbell_ring_anyway(&store->doorbell);
    pthread_join(store->thread, NULL);
    store->has_thread = false;
}

void store_free(struct store *store)
{
    if (store == NULL) return;
    assert(!store->has_thread);
    store_log_close(store->work.log); /* the thread could not be started */
    for (uint32_t i = 0; store->clients != NULL && i < store->clients_count; i++) {
        mailbox_free(store->clients[i].asked);
        mailbox_free(store->clients[i].done);
    }
    free(store->clients);
    doorbell_fini(&store->doorbell);
    free(store);
}
