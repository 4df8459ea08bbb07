/* server/store/store.c - the store's thread: jobs in, transactions, jobs out.
 *
 * Not obvious: nothing here waits for more jobs. The group of a commit is whoever asked while the one before was
 * being written, so it grows with the load by itself. */
#include "server/store/store.h"

#include "core/mailbox.h"
#include "core/name.h"
#include "core/name_filter.h"
#include "net/refusal.h"
#include "server/config/app.h"
#include "server/store/store_log.h"
#include "server/store/store_work.h"
#include "server/system/clock.h"
#include "server/system/worker.h"

#include <assert.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WRITES_MAX   4096
#define READS_MAX    64 /* in one transaction */
#define JOBS_AT_ONCE 64

/* What is one shard's, both sides of it on cache lines of their own. */
struct client {
    _Alignas(128) struct mailbox *asked;
    struct mailbox *done;
    uint32_t reads_under_way;
    uint32_t writes_under_way;
    bool has_asked; /* since it last woke the store */
    struct name_filter seen;
    _Alignas(128) int wake; /* the shard's signal descriptor; store */
    bool is_answered;       /* since the store last woke it; store */
};

/* What has been taken from the shards, in turns, to be written: from `first` on it waits. */
struct writes {
    struct store_job *jobs[WRITES_MAX];
    uint32_t first;
    uint32_t count;
};

/* What has been taken from the shards to be read, the oldest first. */
struct reads {
    struct store_job *first;
    struct store_job **end;
};

struct store {
    struct client *clients;
    uint32_t clients_count;
    uint32_t jobs_max;
    uint32_t first_client; /* whom the next batch begins with; the thread's, as are: */
    struct writes writes;
    struct reads reads;
    struct store_work work;
    struct worker worker;
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

static uint32_t *under_way(struct client *client, const struct store_job *job)
{
    return job->kind == STORE_READ ? &client->reads_under_way : &client->writes_under_way;
}

enum rc store_ask(struct store *store, uint32_t shard, struct store_job *job)
{
    assert(shard < store->clients_count);
    struct client *client = &store->clients[shard];
    if (*under_way(client, job) == store->jobs_max) return RC_EFULL;
    job->shard = shard;
    struct letter letter = job_letter(job);
    enum rc rc = mailbox_offer(client->asked, &letter);
    assert(rc == RC_OK); /* both queues hold all that may be under way */
    ++*under_way(client, job);
    client->has_asked = true;
    return rc;
}

void store_wake(struct store *store, uint32_t shard)
{
    assert(shard < store->clients_count);
    struct client *client = &store->clients[shard];
    if (!client->has_asked) return;
    client->has_asked = false;
    doorbell_ring(&store->worker.doorbell);
}

struct store_job *store_receive(struct store *store, uint32_t shard)
{
    assert(shard < store->clients_count);
    struct client *client = &store->clients[shard];
    struct letter letter;
    if (mailbox_receive(client->done, &letter, 1) == 0) return NULL;
    struct store_job *job = job_of(&letter);
    assert(*under_way(client, job) > 0);
    --*under_way(client, job);
    return job;
}

const struct name_filter *store_seen(const struct store *store, uint32_t shard)
{
    assert(shard < store->clients_count);
    return &store->clients[shard].seen;
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

static void take_job(struct store *store, struct store_job *job)
{
    assert(job->kind == STORE_READ || store->writes.count < WRITES_MAX);
    if (job->kind != STORE_READ) {
        store->writes.jobs[store->writes.count++] = job;
        return;
    }
    job->next = NULL;
    *store->reads.end = job;
    store->reads.end = &job->next;
}

static void take_from(struct store *store, uint32_t shard)
{
    struct letter letters[JOBS_AT_ONCE];
    uint32_t count = JOBS_AT_ONCE;
    while (count == JOBS_AT_ONCE && store->writes.count < WRITES_MAX) {
        uint32_t room = WRITES_MAX - store->writes.count;
        count = mailbox_receive(store->clients[shard].asked, letters, room < JOBS_AT_ONCE ? room : JOBS_AT_ONCE);
        for (uint32_t i = 0; i < count; i++) {
            take_job(store, job_of(&letters[i]));
        }
    }
}

/* Takes all that wait, unless some of those taken earlier are still to be written. */
static void take_jobs(struct store *store)
{
    struct writes *writes = &store->writes;
    assert(writes->first <= writes->count);
    if (writes->first < writes->count) return;
    writes->first = writes->count = 0;
    for (uint32_t i = 0; i < store->clients_count; i++) {
        take_from(store, (store->first_client + i) % store->clients_count);
    }
    store->first_client = (store->first_client + 1) % store->clients_count; /* a crowd does not always come first */
}

static bool has_taken(const struct store *store)
{
    return store->writes.first < store->writes.count || store->reads.first != NULL;
}

static bool has_jobs(const struct store *store)
{
    if (has_taken(store)) return true;
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

static void answer(struct store *store, struct store_job *job)
{
    assert(job->shard < store->clients_count);
    struct client *client = &store->clients[job->shard];
    struct letter letter = job_letter(job); /* the shard's from here on */
    enum rc rc = mailbox_offer(client->done, &letter);
    assert(rc == RC_OK); /* it holds all that a shard may have under way */
    (void)rc;
    client->is_answered = true;
}

static void wake_answered(struct store *store)
{
    for (uint32_t i = 0; i < store->clients_count; i++) {
        if (store->clients[i].is_answered) wake_shard(&store->clients[i]);
        store->clients[i].is_answered = false;
    }
}

static void run_writes(struct store *store)
{
    struct writes *writes = &store->writes;
    if (writes->first == writes->count) return;
    uint32_t done = store_work_run(&store->work, writes->jobs + writes->first, writes->count - writes->first);
    assert(done > 0 && done <= writes->count - writes->first);
    for (; done > 0; done--) {
        answer(store, writes->jobs[writes->first++]);
    }
    wake_answered(store);
}

static struct store_job *next_read(struct store *store)
{
    assert(store->reads.first != NULL);
    struct store_job *job = store->reads.first;
    store->reads.first = job->next;
    if (job->next == NULL) store->reads.end = &store->reads.first;
    return job;
}

static void run_reads(struct store *store)
{
    struct store_job *jobs[READS_MAX];
    uint32_t count = 0;
    for (struct store_job *job = store->reads.first; job != NULL && count < READS_MAX; job = job->next) {
        jobs[count++] = job;
    }
    uint32_t done = count > 0 ? store_work_run(&store->work, jobs, count) : 0;
    for (; done > 0; done--) {
        answer(store, next_read(store));
    }
    wake_answered(store);
}

/* Nobody waits for what they would find. */
static void give_up_reads(struct store *store)
{
    while (store->reads.first != NULL) {
        struct store_job *job = next_read(store);
        job->rc = RC_ESTORE;
        answer(store, job);
    }
}

/* ---- thread ---- */

static void sleep_a_while(struct store *store)
{
    struct doorbell *doorbell = &store->worker.doorbell;
    doorbell_lie_down(doorbell);
    /* The ring of who stops it may have been heard already, with jobs that came before it. */
    bool is_busy = has_jobs(store) || worker_is_stopping(&store->worker);
    int sleep_ms = is_busy ? 0 : store_work_sleep_ms(&store->work);
    if (sleep_ms > 0) doorbell_wait(doorbell, (uint32_t)sleep_ms); /* whatever ends it, we look around */
    doorbell_get_up(doorbell);
}

static void run(void *owner)
{
    struct store *store = owner;
    while (true) {
        bool is_stopping = worker_is_stopping(&store->worker); /* first: no job can come after the look at them */
        take_jobs(store);
        if (is_stopping && !has_taken(store)) break;
        run_writes(store);
        if (is_stopping) {
            give_up_reads(store);
        } else {
            run_reads(store);
        }
        store_work_upkeep(&store->work);
        if (!has_jobs(store)) sleep_a_while(store);
    }
    store_log_close(store->work.log);
    store->work.log = NULL;
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
        client->asked = mailbox_new(queue_letters(2 * store->jobs_max));
        client->done = mailbox_new(queue_letters(2 * store->jobs_max));
        if (client->asked == NULL || client->done == NULL) return RC_ENOMEM;
    }
    return RC_OK;
}

/* What is put into the filters of the homes. */
struct learning {
    struct store *store;
    const struct options *options;
};

static void learn_channel(void *owner, const char *app_id, struct text channel)
{
    const struct learning *learning = owner;
    const struct app *app = app_of_id(&learning->options->app, text_of(app_id));
    if (app == NULL) return; /* nobody can ask for it */
    struct name name = name_of(app->index, channel);
    name_filter_add(&learning->store->clients[name_home(&name, learning->options->shards)].seen, name.hash);
}

static enum rc learn_channels(struct store *store, const struct options *options, char *reason_r, size_t reason_size)
{
    struct learning learning = {store, options};
    for (uint32_t i = 0; i < store->clients_count; i++) {
        name_filter_init(&store->clients[i].seen, options->history_bytes_max / 8);
    }
    enum rc rc = store_log_each_channel(store->work.log, learn_channel, &learning);
    if (rc != RC_OK) snprintf(reason_r, reason_size, "%s", store_log_reason(store->work.log));
    return rc == RC_ESTORE ? RC_EINVAL : rc;
}

static enum rc start_thread(struct store *store, char *reason_r, size_t reason_size)
{
    if (worker_start(&store->worker, "store", run, store) == RC_OK) return RC_OK;
    refusal_of_thread("the store", errno, reason_r, reason_size);
    return RC_EKERNEL;
}

static enum rc start(struct store *store, const struct options *options, const int *wake, char *reason_r,
                     size_t reason_size)
{
    snprintf(reason_r, reason_size, "store: out of memory");
    enum rc rc = make_clients(store, wake);
    if (rc != RC_OK) return rc;
    if (worker_init(&store->worker) != RC_OK) {
        snprintf(reason_r, reason_size, "store: no descriptor is left: raise RLIMIT_NOFILE");
        return RC_EKERNEL;
    }
    rc = store_log_open(&store->work.log, &store->work.counters, options->data_dir, options->store_sync, reason_r,
                        reason_size);
    if (rc == RC_OK && store_log_apply_rules(store->work.log, &options->history) != RC_OK) {
        snprintf(reason_r, reason_size, "%s", store_log_reason(store->work.log));
        rc = RC_EINVAL;
    }
    if (rc == RC_OK && store_log_set_bound(store->work.log, options->store_disk_bytes_max) != RC_OK) {
        snprintf(reason_r, reason_size, "%s", store_log_reason(store->work.log));
        rc = RC_EINVAL;
    }
    if (rc == RC_OK) rc = learn_channels(store, options, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    store_log_has_started(store->work.log);
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
    store->reads.end = &store->reads.first;
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
    if (store != NULL) worker_stop(&store->worker);
}

void store_free(struct store *store)
{
    if (store == NULL) return;
    store_log_close(store->work.log); /* the thread could not be started */
    for (uint32_t i = 0; store->clients != NULL && i < store->clients_count; i++) {
        mailbox_free(store->clients[i].asked);
        mailbox_free(store->clients[i].done);
        name_filter_fini(&store->clients[i].seen);
    }
    free(store->clients);
    worker_fini(&store->worker);
    free(store);
}

const char *store_library(void)
{
    return sqlite3_libversion();
}
