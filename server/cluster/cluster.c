/* server/cluster/cluster.c - the cluster's thread: jobs in, rounds, answers and events out.
 *
 * Not obvious: a shard's answers and events go through one ring, so that they come in the order in which they happened.
 * What does not fit waits here in a list: answers are never too many, for jobs are counted, and when events are, pushes
 * are no longer read. */
#include "server/cluster/cluster.h"

#include "core/mailbox.h"
#include "core/message.h"
#include "net/refusal.h"
#include "server/cluster/cluster_rules.h"
#include "server/cluster/cluster_settings.h"
#include "server/cluster/cluster_work.h"
#include "server/cluster/script.h"
#include "server/system/clock.h"
#include "server/system/worker.h"

#include <assert.h>
#include <ck_pr.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RING_LETTERS 8192 /* to a shard */
#define JOBS_AT_ONCE 64
#define FULL_MS      2 /* until the next look whether a full ring has room */
#define AWAIT_MS     10
#define STOP_MS      2000 /* to send what was asked for */

/* What is one shard's, both sides of it on cache lines of their own. */
struct client {
    _Alignas(128) struct mailbox *asked;
    struct mailbox *told;
    uint32_t publishes_under_way;
    uint32_t others_under_way;
    bool has_asked;         /* since it last woke the cluster */
    uint64_t bytes_taken;   /* of events; the thread looks */
    _Alignas(128) int wake; /* the shard's signal descriptor; this and the rest are the thread's */
    bool is_told;           /* something since it was last woken */
    uint64_t bytes_told;
    struct cluster_item *first, **end; /* what did not fit into the ring */
};

struct cluster {
    struct client *clients;
    uint32_t clients_count;
    uint32_t jobs_max;
    bool has_stopped;
    bool is_paused;
    uint32_t first_client; /* whom the next round begins with; the thread's, as are: */
    struct cluster_work *work;
    struct redis_access *access;
    char *rules; /* of this node */
    struct counters counters;
    struct worker worker;
};

static bool is_job(const struct cluster_item *item)
{
    return item->kind < CLUSTER_MESSAGES;
}

/* NULL: it is none of a channel's messages. */
static struct cluster_event *event_of(struct cluster_item *item)
{
    bool is_event = item->kind == CLUSTER_MESSAGES || item->kind == CLUSTER_LOST;
    return is_event ? (struct cluster_event *)item : NULL;
}

/* ---- letters: the one place that knows what a letter carries ---- */

static struct letter item_letter(struct cluster_item *item)
{
    return (struct letter){.body = item};
}

static struct cluster_item *item_of(const struct letter *letter)
{
    return letter->body;
}

/* ---- shards ---- */

static uint32_t *under_way(struct client *client, const struct cluster_item *item)
{
    return item->kind == CLUSTER_PUBLISH ? &client->publishes_under_way : &client->others_under_way;
}

enum rc cluster_ask(struct cluster *cluster, uint32_t shard, struct cluster_job *job)
{
    assert(shard < cluster->clients_count);
    struct client *client = &cluster->clients[shard];
    if (*under_way(client, &job->item) == cluster->jobs_max) return RC_EFULL;
    job->item.shard = shard;
    struct letter letter = item_letter(&job->item);
    enum rc rc = mailbox_offer(client->asked, &letter);
    assert(rc == RC_OK); /* the queue holds all that may be under way */
    ++*under_way(client, &job->item);
    client->has_asked = true;
    return rc;
}

void cluster_wake(struct cluster *cluster, uint32_t shard)
{
    assert(shard < cluster->clients_count);
    struct client *client = &cluster->clients[shard];
    if (!client->has_asked) return;
    client->has_asked = false;
    doorbell_ring(&cluster->worker.doorbell);
}

/* What the thread has left, once it has ended. */
static struct cluster_item *take_left(struct cluster *cluster, struct client *client)
{
    struct cluster_item *item = cluster->has_stopped ? client->first : NULL;
    if (item != NULL) client->first = item->next;
    return item;
}

struct cluster_item *cluster_receive(struct cluster *cluster, uint32_t shard)
{
    assert(shard < cluster->clients_count);
    struct client *client = &cluster->clients[shard];
    struct letter letter;
    bool is_there = mailbox_receive(client->told, &letter, 1) == 1;
    struct cluster_item *item = is_there ? item_of(&letter) : take_left(cluster, client);
    if (item == NULL) return NULL;
    const struct cluster_event *event = event_of(item);
    if (event != NULL) ck_pr_store_64(&client->bytes_taken, client->bytes_taken + event->bytes);
    if (is_job(item)) {
        assert(*under_way(client, item) > 0);
        --*under_way(client, item);
    }
    return item;
}

const char *cluster_trouble(const struct cluster *cluster)
{
    return cluster_work_trouble(cluster->work);
}

void cluster_look(const struct cluster *cluster, struct cluster_status *status_r)
{
    cluster_work_status(cluster->work, status_r);
}

const struct counters *cluster_counters(const struct cluster *cluster)
{
    return &cluster->counters;
}

/* ---- thread: jobs in ---- */

static void take_from(struct cluster *cluster, struct client *client, uint64_t now_ms)
{
    struct letter letters[JOBS_AT_ONCE];
    uint32_t count = JOBS_AT_ONCE;
    while (count == JOBS_AT_ONCE) {
        count = mailbox_receive(client->asked, letters, JOBS_AT_ONCE);
        for (uint32_t i = 0; i < count; i++)
            cluster_work_take(cluster->work, (struct cluster_job *)item_of(&letters[i]), now_ms);
    }
}

static void take_jobs(struct cluster *cluster, uint64_t now_ms)
{
    for (uint32_t i = 0; i < cluster->clients_count; i++)
        take_from(cluster, &cluster->clients[(cluster->first_client + i) % cluster->clients_count], now_ms);
    cluster->first_client = (cluster->first_client + 1) % cluster->clients_count;
}

static bool has_jobs(const struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->clients_count; i++) {
        if (!mailbox_is_empty(cluster->clients[i].asked)) return true;
    }
    return false;
}

/* ---- thread: answers and events out ---- */

static uint64_t bytes_of(const struct cluster_event *event)
{
    uint64_t bytes = sizeof *event;
    for (uint32_t i = 0; i < event->messages_count; i++) {
        bytes += sizeof *event->messages[i];
        for (enum form form = 0; form < FORMS_MAX; form++)
            bytes += event->messages[i]->frame_bytes[form];
    }
    return bytes;
}

static void put(void *self, struct cluster_item *item)
{
    struct cluster *cluster = self;
    assert(item->shard < cluster->clients_count);
    struct client *client = &cluster->clients[item->shard];
    struct cluster_event *event = event_of(item);
    if (event != NULL) {
        event->bytes = bytes_of(event);
        client->bytes_told += event->bytes;
    }
    item->next = NULL;
    *client->end = item;
    client->end = &item->next;
}

/* The item is the shard's as soon as it is in the ring. */
static void hand_over(struct client *client)
{
    while (client->first != NULL) {
        struct cluster_item *next = client->first->next;
        struct letter letter = item_letter(client->first);
        if (mailbox_offer(client->told, &letter) != RC_OK) break;
        client->first = next;
        client->is_told = true;
    }
    if (client->first == NULL) client->end = &client->first;
}

static void wake_shard(struct client *client)
{
    uint64_t one = 1;
    /* It can only fail when the counter is full of signals that have been seen already. */
    ssize_t written = write(client->wake, &one, sizeof one);
    (void)written;
    client->is_told = false;
}

/* True: all of it went. */
static bool hand_all_over(struct cluster *cluster)
{
    bool is_all = true;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < cluster->clients_count; i++) {
        struct client *client = &cluster->clients[i];
        hand_over(client);
        if (client->is_told) wake_shard(client);
        is_all = is_all && client->first == NULL;
        bytes += client->bytes_told - ck_pr_load_64(&client->bytes_taken);
    }
    bool is_full = bytes > (cluster->is_paused ? CLUSTER_EVENTS_BYTES_MAX / 2 : CLUSTER_EVENTS_BYTES_MAX);
    if (is_full != cluster->is_paused) cluster_work_pause(cluster->work, is_full);
    if (is_full && !cluster->is_paused) counter_add(&cluster->counters, COUNTER_cluster_pauses, 1);
    cluster->is_paused = is_full;
    return is_all && !is_full;
}

/* ---- thread ---- */

/* Until something comes on the connections, is asked, or is due. */
static void sleep_a_while(struct cluster *cluster, struct pollfd fds[3], bool is_all_over)
{
    uint64_t now_ms = monotonic_ms(), due_ms = cluster_work_due_ms(cluster->work, now_ms);
    uint64_t ms = due_ms > now_ms ? due_ms - now_ms : 0;
    if (!is_all_over && ms > FULL_MS) ms = FULL_MS;
    fds[0] = (struct pollfd){.fd = cluster->worker.doorbell.descriptor, .events = POLLIN};
    cluster_work_poll(cluster->work, fds + 1);
    doorbell_lie_down(&cluster->worker.doorbell);
    /* The ring of who stops it may have been heard already, with jobs that came before it. */
    if (has_jobs(cluster) || worker_is_stopping(&cluster->worker)) ms = 0;
    if (poll(fds, 3, ms < INT_MAX ? (int)ms : INT_MAX) < 0) {
        fds[1].revents = fds[2].revents = 0;
        if (errno != EINTR) doorbell_rest();
    }
    doorbell_get_up(&cluster->worker.doorbell);
}

static void run(void *owner)
{
    struct cluster *cluster = owner;
    struct pollfd fds[3] = {{.fd = -1}, {.fd = -1}, {.fd = -1}};
    uint64_t stop_ms = UINT64_MAX;
    while (true) {
        uint64_t now_ms = monotonic_ms();
        bool is_stopping = worker_is_stopping(&cluster->worker); /* first: no job can come after the look at them */
        take_jobs(cluster, now_ms);
        cluster_work_run(cluster->work, fds + 1, now_ms);
        bool is_all_over = hand_all_over(cluster);
        if (is_stopping && stop_ms == UINT64_MAX) {
            cluster_work_stop(cluster->work);
            stop_ms = now_ms + STOP_MS;
        }
        if (is_stopping && (now_ms >= stop_ms || !cluster_work_is_busy(cluster->work))) break;
        sleep_a_while(cluster, fds, is_all_over);
    }
    cluster_work_end(cluster->work, monotonic_ms());
    hand_all_over(cluster);
}

/* ---- life ---- */

/* A queue of n letters holds n - 1. */
static uint32_t queue_letters(uint32_t jobs_max)
{
    uint32_t letters = 4;
    while (letters <= jobs_max)
        letters *= 2;
    return letters;
}

static enum rc make_clients(struct cluster *cluster, const int *wake)
{
    size_t bytes = cluster->clients_count * sizeof cluster->clients[0];
    cluster->clients = aligned_alloc(_Alignof(struct client), bytes);
    if (cluster->clients == NULL) return RC_ENOMEM;
    memset(cluster->clients, 0, bytes);
    for (uint32_t i = 0; i < cluster->clients_count; i++) {
        struct client *client = &cluster->clients[i];
        client->wake = wake[i];
        client->end = &client->first;
        client->asked = mailbox_new(queue_letters(2 * cluster->jobs_max));
        client->told = mailbox_new(RING_LETTERS);
        if (client->asked == NULL || client->told == NULL) return RC_ENOMEM;
    }
    return RC_OK;
}

static enum rc start(struct cluster *cluster, const struct options *options, const int *wake, char *reason_r,
                     size_t reason_size)
{
    struct cluster_settings settings;
    enum rc rc = cluster_settings_of(options, &settings, &cluster->access, reason_r, reason_size);
    if (rc != RC_OK) return rc;
    settings.work.put = put;
    settings.work.self = cluster;
    snprintf(reason_r, reason_size, "redis: out of memory");
    if (scripts_init() != RC_OK) return RC_ENOMEM;
    if ((cluster->rules = cluster_rules_of(options)) == NULL) return RC_ENOMEM;
    settings.work.rules = cluster->rules;
    if (make_clients(cluster, wake) != RC_OK) return RC_ENOMEM;
    if (worker_init(&cluster->worker) != RC_OK) {
        snprintf(reason_r, reason_size, "redis: no descriptor is left: raise RLIMIT_NOFILE");
        return RC_EKERNEL;
    }
    cluster->work = cluster_work_new(&settings.work, &cluster->counters);
    if (cluster->work == NULL) return RC_ENOMEM;
    if (worker_start(&cluster->worker, "cluster", run, cluster) == RC_OK) return RC_OK;
    refusal_of_thread("the cluster", errno, reason_r, reason_size);
    return RC_EKERNEL;
}

enum rc cluster_start(struct cluster **cluster_r, const struct options *options, const int *wake, uint32_t shards,
                      char *reason_r, size_t reason_size)
{
    struct cluster *cluster = aligned_alloc(_Alignof(struct cluster), sizeof *cluster);
    if (cluster == NULL) {
        snprintf(reason_r, reason_size, "redis: out of memory");
        return RC_ENOMEM;
    }
    memset(cluster, 0, sizeof *cluster);
    cluster->clients_count = shards;
    cluster->jobs_max = options->store_jobs_max;
    enum rc rc = start(cluster, options, wake, reason_r, reason_size);
    if (rc == RC_OK) {
        *cluster_r = cluster;
        return RC_OK;
    }
    cluster_free(cluster);
    return rc;
}

void cluster_stop(struct cluster *cluster)
{
    if (cluster == NULL) return;
    worker_stop(&cluster->worker);
    cluster->has_stopped = true;
}

enum rc cluster_await(const struct cluster *cluster, uint64_t ms, char *reason_r, size_t reason_size)
{
    const struct timespec pause = {.tv_nsec = AWAIT_MS * 1000000};
    const char *trouble;
    for (uint64_t end_ms = monotonic_ms() + ms; (trouble = cluster_trouble(cluster)) != NULL;) {
        snprintf(reason_r, reason_size, "%s", trouble);
        if (monotonic_ms() >= end_ms) return RC_ECLUSTER;
        nanosleep(&pause, NULL);
    }
    return RC_OK;
}

/* Events that no shard has taken; jobs are their askers'. */
static void drop_events(struct cluster *cluster, uint32_t shard)
{
    struct cluster_item *item;
    while ((item = cluster_receive(cluster, shard)) != NULL) {
        struct cluster_event *event = event_of(item);
        if (event != NULL) {
            cluster_event_free(&cluster->counters, event);
        } else if (!is_job(item)) {
            free(item);
        }
    }
}

void cluster_free(struct cluster *cluster)
{
    if (cluster == NULL) return;
    for (uint32_t i = 0; cluster->clients != NULL && i < cluster->clients_count; i++) {
        struct client *client = &cluster->clients[i];
        if (client->told != NULL) drop_events(cluster, i);
        mailbox_free(client->asked);
        mailbox_free(client->told);
    }
    free(cluster->clients);
    cluster_work_free(cluster->work);
    redis_access_free(cluster->access);
    free(cluster->rules);
    worker_fini(&cluster->worker);
    free(cluster);
}
