/* server/cluster/cluster_work.c - rounds: what has come, then what is to be asked. */
#include "server/cluster/cluster_work.h"

#include "core/counters.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/cluster_key.h"
#include "server/cluster/cluster_pair.h"
#include "server/cluster/cluster_publish.h"
#include "server/cluster/cluster_reader.h"
#include "server/cluster/cluster_status.h"
#include "server/cluster/people.h"
#include "server/cluster/people_event.h"
#include "server/cluster/people_job.h"
#include "server/cluster/people_way.h"
#include "server/cluster/redis_error.h"
#include "server/system/clock.h"
#include "server/system/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLY_BYTES_MAX     (256 * 1024 * 1024)
#define KEPT_BYTES_MAX      (64 * 1024 * 1024) /* pushes behind gaps, of all channels */
#define KEPT_BYTES_EACH_MAX (4 * 1024 * 1024)
#define GRACE_MS            10000
#define GRACE_MAX           10000
#define AUDITS_PER_S        50
#define CALLS_MAX           512 /* of the reader, under way */
#define TICK_MS             20
#define ENTRIES_MIN         64
#define LOAD_AGAIN_MS       100
#define TELL_MS             1000
#define WAIT_MS             "1000"

struct cluster_work {
    uint64_t node; /* this one's number, random for each start, */
    char node_name[CLUSTER_NODE_BYTES + 1];
    struct counters *counters;
    void (*put)(void *self, struct cluster_item *item);
    void *self;
    uint32_t replicas;

    struct cluster_pair *pair;
    struct cluster_publish *publish;
    struct cluster_reader *reader;
    struct people *people;
    uint32_t calls; /* of the reader, under way */
    struct cluster_job *
        *entering; /* who waits for an entrance, in any order; job->number is the place behind its own */
    uint32_t entering_count, entering_capacity;

    uint64_t now_ms;
    uint64_t tick_ms;   /* of the next */
    uint64_t loaded_ms; /* when the scripts were last sent because they were lost */
    uint64_t told_ms;   /* when an error was last told in the log */
    bool has_looked;    /* at the server, and told what is wrong with it */
    bool is_durable;
    const char *refusal;           /* why Redis refused what was published last; NULL: it did not */
    _Atomic(const char *) trouble; /* any thread may look */
    pthread_mutex_t status_lock;   /* of the next; this thread is the only one that writes it */
    struct cluster_status status;
};

/* ---- what the connections tell ---- */

/* What is not wrong enough to refuse it, but costs messages some day. */
static void look_at_server(const struct cluster_work *work)
{
    const struct redis_server *server = cluster_pair_server(work->pair);
    if (server->policy[0] != '\0' && strcmp(server->policy, "noeviction") != 0)
        log_warn(
            "Redis may throw histories away when it is full (maxmemory-policy %s); set it to noeviction, or give "
            "ringcast a Redis of its own",
            server->policy);
    if (work->is_durable && !server->has_aof)
        log_warn("--history durable: Redis keeps nothing over a restart; set appendonly yes there");
}

static void note_connection(struct cluster_work *work)
{
    struct cluster_status *status = &work->status;
    pthread_mutex_lock(&work->status_lock);
    redis_place_format(cluster_pair_place(work->pair), status->address);
    snprintf(status->version, sizeof status->version, "%s", cluster_pair_server(work->pair)->version_text);
    status->generation = cluster_pair_generation(work->pair);
    status->connected_ms = work->now_ms;
    pthread_mutex_unlock(&work->status_lock);
}

static void note_end(struct cluster_work *work)
{
    pthread_mutex_lock(&work->status_lock);
    work->status.connected_ms = 0;
    pthread_mutex_unlock(&work->status_lock);
}

static void came(void *self, bool is_other_life)
{
    struct cluster_work *work = self;
    uint64_t generation = cluster_pair_generation(work->pair);
    cluster_publish_set_generation(work->publish, generation, is_other_life);
    cluster_reader_set_generation(work->reader, generation, work->now_ms);
    people_open(work->people, is_other_life, work->now_ms);
    note_connection(work);
    if (!work->has_looked) look_at_server(work);
    work->has_looked = true;
}

static void went(void *self)
{
    struct cluster_work *work = self;
    const struct cluster_time time = {work->now_ms, cluster_pair_redis_ms(work->pair, work->now_ms)};
    cluster_publish_lost(work->publish, &time);
    cluster_reader_ended(work->reader, work->now_ms);
    people_lost(work->people);
    note_end(work);
}

static void pushed(void *self, const redisReply *reply)
{
    struct cluster_work *work = self;
    enum rc rc = cluster_reader_pushed(work->reader, reply, work->now_ms);
    if (rc == RC_ENOMEM) cluster_pair_give_up(work->pair, REDIS_END_MEMORY, "");
    if (rc == RC_EPROTO) cluster_pair_give_up(work->pair, REDIS_END_PROTOCOL, "a subscription that nobody asked for");
}

/* ---- what goes to homes ---- */

static void forget_entering(struct cluster_work *work, struct cluster_job *job)
{
    if (job->number == 0) return;
    struct cluster_job *moved = work->entering[--work->entering_count];
    work->entering[job->number - 1] = moved;
    moved->number = job->number;
    job->number = 0;
}

static void done(void *self, struct cluster_job *job)
{
    struct cluster_work *work = self;
    if (job->item.kind == CLUSTER_ENTER) forget_entering(work, job);
    work->put(work->self, &job->item);
}

static void tell(void *self, struct cluster_event *event)
{
    struct cluster_work *work = self;
    work->put(work->self, &event->item);
}

static void came_back(void *self, const struct name *name, uint64_t number)
{
    struct cluster_work *work = self;
    cluster_publish_told(work->publish, name, number);
}

static void entered(void *self, const struct name *name, struct text app, uint32_t shard, uint32_t serial)
{
    struct cluster_work *work = self;
    if (people_entered(work->people, name, app, shard, serial) != RC_OK)
        cluster_pair_give_up(work->pair, REDIS_END_MEMORY, "");
}

static void people_pushed(void *self, const struct name *name, struct text push)
{
    struct cluster_work *work = self;
    if (!people_push(work->people, name, push)) counter_add(work->counters, COUNTER_cluster_records_unread, 1);
}

static void tell_people(void *self, struct people_event *event)
{
    struct cluster_work *work = self;
    event->item.kind = CLUSTER_PEOPLE_TOLD;
    work->put(work->self, &event->item);
}

static void people_done(void *self, struct people_job *job)
{
    struct cluster_work *work = self;
    work->put(work->self, &job->job.item);
}

static uint64_t hint(void *self, const struct name *name)
{
    const struct cluster_work *work = self;
    return cluster_channels_hint(cluster_reader_channels(work->reader), name);
}

static bool is_told(void *self, const struct name *name, const struct stream_id *place)
{
    const struct cluster_work *work = self;
    return cluster_channels_is_told(cluster_reader_channels(work->reader), name, place);
}

/* ---- errors ---- */

/* What Redis refuses is told once a second, with its own words. */
static void follow_error(struct cluster_work *work, const redisReply *reply)
{
    const struct redis_error *error = redis_error_of((struct text){reply->str, reply->len});
    if (error->kind == REDIS_ERROR_MASTER) cluster_pair_give_up(work->pair, REDIS_END_ROLE, reply->str);
    if (error->kind == REDIS_ERROR_SCRIPTS) {
        if (work->now_ms - work->loaded_ms >= LOAD_AGAIN_MS) cluster_pair_load_scripts(work->pair);
        work->loaded_ms = work->now_ms;
        return;
    }
    if (work->now_ms - work->told_ms < TELL_MS) return;
    work->told_ms = work->now_ms;
    log_warn("%s; it says: %.*s", error->text, reply->len < 200 ? (int)reply->len : 200, reply->str);
}

/* ---- questions ---- */

static void published(void *self, void *about, const redisReply *reply)
{
    struct cluster_work *work = self;
    if (reply == NULL) return; /* cluster_publish_lost() comes for all */
    const struct redis_error *error = cluster_publish_answered(work->publish, about, reply, work->now_ms);
    if (error == NULL) work->refusal = NULL;
    if (error == NULL) return;
    if (error->kind == REDIS_ERROR_REFUSED) work->refusal = error->text;
    follow_error(work, reply);
}

static void replicated(void *self, void *about, const redisReply *reply)
{
    struct cluster_work *work = self;
    (void)about;
    if (reply == NULL) return;
    bool is_safe = reply->type == REDIS_REPLY_INTEGER && reply->integer >= (long long)work->replicas;
    cluster_publish_confirmed(work->publish, is_safe);
    if (!is_safe)
        work->refusal = "too few replicas of Redis have got what is published; bring them back, or lower "
                        "--redis-replicas";
}

static void ask_wait(struct cluster_work *work)
{
    char count[12];
    snprintf(count, sizeof count, "%u", work->replicas);
    const struct text words[] = {text_of("WAIT"), text_of(count), text_of(WAIT_MS)};
    if (cluster_pair_ask(work->pair, words, 3, replicated, work, NULL) != RC_OK)
        cluster_pair_give_up(work->pair, REDIS_END_MEMORY, "");
}

static void ask_to_publish(struct cluster_work *work)
{
    const struct cluster_time time = {work->now_ms, cluster_pair_redis_ms(work->pair, work->now_ms)};
    struct cluster_publish_call call;
    bool has_sent = false;
    while (cluster_publish_next(work->publish, &time, &call)) {
        if (cluster_pair_ask(work->pair, call.words, call.words_count, published, work, call.queue) != RC_OK) break;
        cluster_publish_sent(work->publish, &call);
        has_sent = true;
    }
    if (has_sent && work->replicas > 0) ask_wait(work);
}

static void read_answered(void *self, void *about, const redisReply *reply)
{
    struct cluster_work *work = self;
    work->calls--;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) follow_error(work, reply);
    cluster_reader_answered(work->reader, about, reply, work->now_ms);
    free(about);
}

static void ask_reader(struct cluster_work *work)
{
    struct cluster_reader_call call;
    while (work->calls < CALLS_MAX && cluster_reader_next(work->reader, work->now_ms, &call)) {
        struct cluster_reader_call *copy = malloc(sizeof *copy);
        if (copy != NULL) *copy = call;
        enum rc rc = copy != NULL ? RC_OK : RC_ENOMEM;
        if (rc == RC_OK) rc = cluster_pair_ask(work->pair, call.words, call.words_count, read_answered, work, copy);
        if (rc == RC_OK) {
            work->calls++;
            continue;
        }
        free(copy);
        cluster_reader_answered(work->reader, &call, NULL, work->now_ms);
        return;
    }
}

static void subscribe(struct cluster_work *work)
{
    struct cluster_reader_call call;
    if (!cluster_reader_next_names(work->reader, work->now_ms, &call)) return;
    if (cluster_pair_say(work->pair, call.words, call.words_count) != RC_OK)
        cluster_pair_give_up(work->pair, REDIS_END_MEMORY, "");
}

struct asked_for_people {
    people_answer *answer;
    void *context;
};

static void people_answered(void *self, void *about, const redisReply *reply)
{
    struct cluster_work *work = self;
    struct asked_for_people asked = *(struct asked_for_people *)about;
    free(about);
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR) follow_error(work, reply);
    asked.answer(asked.context, reply);
}

static enum rc ask_for_people(void *self, const struct text *words, size_t count, people_answer *answer,
                              void *context)
{
    struct cluster_work *work = self;
    struct asked_for_people *asked = malloc(sizeof *asked);
    if (asked == NULL) return RC_ENOMEM;
    *asked = (struct asked_for_people){answer, context};
    enum rc rc = cluster_pair_ask(work->pair, words, count, people_answered, work, asked);
    if (rc != RC_OK) free(asked);
    return rc;
}

/* ---- life ---- */

/* For the other threads: what is wrong. */
static void set_trouble(struct cluster_work *work)
{
    const char *trouble = cluster_pair_trouble(work->pair);
    if (trouble == NULL) trouble = work->refusal;
    counter_set(work->counters, COUNTER_cluster_trouble, trouble != NULL);
    atomic_store(&work->trouble, trouble);
}

static struct cluster_publish *make_publish(struct cluster_work *work, const struct cluster_work_settings *settings)
{
    const struct cluster_publish_settings publish = {
        .prefix = text_of(settings->prefix),
        .node = work->node,
        .bytes_max = settings->queue_bytes_max,
        .patience_ms = settings->publish_ms_max,
        .is_confirmed = settings->replicas > 0,
        .done = done,
        .hint = hint,
        .is_told = is_told,
        .self = work,
    };
    return cluster_publish_new(&publish, work->counters);
}

static struct cluster_reader *make_reader(struct cluster_work *work, const struct cluster_work_settings *settings)
{
    uint64_t gap_bytes_max = settings->gap_bytes_max < UINT32_MAX ? settings->gap_bytes_max : UINT32_MAX;
    const struct cluster_reader_settings reader = {
        .prefix = text_of(settings->prefix),
        .node = work->node,
        .limits = {.kept_bytes_max = KEPT_BYTES_MAX,
                   .kept_bytes_each_max = KEPT_BYTES_EACH_MAX,
                   .gap_bytes_max = (uint32_t)gap_bytes_max,
                   .grace_ms = GRACE_MS,
                   .grace_max = GRACE_MAX,
                   .audits_per_s = AUDITS_PER_S},
        .patience_ms = settings->publish_ms_max,
        .counters = work->counters,
        .done = done,
        .event = tell,
        .came_back = came_back,
        .entered = entered,
        .other = people_pushed,
        .self = work,
    };
    return cluster_reader_new(&reader);
}

static struct cluster_pair *make_pair(struct cluster_work *work, const struct cluster_work_settings *settings)
{
    const struct cluster_pair_settings pair = {
        .url = settings->url,
        .target = settings->target,
        .prefix = text_of(settings->prefix),
        .node = work->node_name,
        .silent_ms_max = settings->silent_ms_max,
        .reply_bytes_max = REPLY_BYTES_MAX,
        .self = work,
        .came = came,
        .went = went,
        .pushed = pushed,
    };
    return cluster_pair_new(&pair, work->counters);
}

static struct people *make_people(struct cluster_work *work, const struct cluster_work_settings *settings)
{
    const struct people_way way = {.send = ask_for_people, .tell = tell_people, .answer = people_done, .self = work};
    uint64_t number;
    arc4random_buf(&number, sizeof number);
    return people_new(&way, text_of(settings->prefix), settings->rules, settings->lease_ms, number, monotonic_ms());
}

struct cluster_work *cluster_work_new(const struct cluster_work_settings *settings, struct counters *counters)
{
    struct cluster_work *work = calloc(1, sizeof *work);
    if (work == NULL) return NULL;
    do {
        arc4random_buf(&work->node, sizeof work->node);
    } while (work->node == 0);
    cluster_node_write(work->node_name, work->node);
    pthread_mutex_init(&work->status_lock, NULL);
    work->counters = counters;
    work->put = settings->put;
    work->self = settings->self;
    work->replicas = settings->replicas;
    work->publish = make_publish(work, settings);
    work->reader = make_reader(work, settings);
    work->pair = make_pair(work, settings);
    work->people = make_people(work, settings);
    work->is_durable = settings->is_durable;
    if (work->pair != NULL) set_trouble(work);
    if (work->publish != NULL && work->reader != NULL && work->pair != NULL && work->people != NULL) return work;
    cluster_work_free(work);
    return NULL;
}

void cluster_work_free(struct cluster_work *work)
{
    if (work == NULL) return;
    people_free(work->people);
    cluster_pair_free(work->pair);
    cluster_reader_free(work->reader);
    cluster_publish_free(work->publish);
    free(work->entering);
    pthread_mutex_destroy(&work->status_lock);
    free(work);
}

/* ---- jobs ---- */

static enum rc note_entering(struct cluster_work *work, struct cluster_job *job)
{
    if (work->entering_count == work->entering_capacity) {
        uint32_t capacity = work->entering_capacity > 0 ? work->entering_capacity * 2 : ENTRIES_MIN;
        struct cluster_job **entering = reallocarray(work->entering, capacity, sizeof entering[0]);
        if (entering == NULL) return RC_ENOMEM;
        work->entering = entering;
        work->entering_capacity = capacity;
    }
    work->entering[work->entering_count++] = job;
    job->number = work->entering_count;
    job->asked_ms = work->now_ms;
    return RC_OK;
}

void cluster_work_take(struct cluster_work *work, struct cluster_job *job, uint64_t now_ms)
{
    work->now_ms = now_ms;
    if (job->item.kind == CLUSTER_PUBLISH) {
        cluster_publish_ask(work->publish, job, now_ms);
    } else if (job->item.kind == CLUSTER_PEOPLE) {
        people_take(work->people, (struct people_job *)job);
    } else if (job->item.kind == CLUSTER_ENTER && note_entering(work, job) != RC_OK) {
        job->rc = RC_ENOMEM;
        work->put(work->self, &job->item);
    } else {
        if (job->item.kind == CLUSTER_LEAVE) people_left(work->people, job->channel);
        cluster_reader_ask(work->reader, job, now_ms);
    }
}

/* Who has waited for too long is out. */
static void end_entering(struct cluster_work *work, uint64_t before_ms)
{
    for (uint32_t i = work->entering_count; i > 0; i--) {
        const struct cluster_job *job = i <= work->entering_count ? work->entering[i - 1] : NULL;
        if (job != NULL && job->asked_ms < before_ms)
            cluster_reader_end_entering(work->reader, job->channel, work->now_ms);
    }
}

/* ---- rounds ---- */

void cluster_work_poll(const struct cluster_work *work, struct pollfd fds[2])
{
    cluster_pair_poll(work->pair, fds);
}

uint64_t cluster_work_due_ms(const struct cluster_work *work, uint64_t now_ms)
{
    uint64_t due_ms = cluster_pair_due_ms(work->pair, now_ms);
    return due_ms < work->tick_ms ? due_ms : work->tick_ms;
}

static void note_rest(struct cluster_work *work)
{
    uint64_t oldest_ms = cluster_publish_oldest_ms(work->publish);
    pthread_mutex_lock(&work->status_lock);
    work->status.oldest_ms = oldest_ms;
    work->status.nodes = people_nodes_count(work->people);
    memcpy(work->status.lease, people_node(work->people), sizeof work->status.lease);
    pthread_mutex_unlock(&work->status_lock);
}

static void tick(struct cluster_work *work)
{
    uint64_t now_ms = work->now_ms;
    cluster_publish_tick(work->publish, now_ms);
    cluster_reader_tick(work->reader, now_ms, cluster_pair_redis_ms(work->pair, now_ms));
    end_entering(work, now_ms > WORK_ENTER_MS ? now_ms - WORK_ENTER_MS : 0);
    note_rest(work);
    work->tick_ms = now_ms + TICK_MS;
}

void cluster_work_run(struct cluster_work *work, const struct pollfd fds[2], uint64_t now_ms)
{
    work->now_ms = now_ms;
    cluster_pair_run(work->pair, fds, now_ms);
    if (cluster_reader_is_short(work->reader)) cluster_pair_give_up(work->pair, REDIS_END_MEMORY, "");
    if (now_ms >= work->tick_ms) tick(work);
    if (cluster_pair_is_up(work->pair)) {
        subscribe(work);
        ask_to_publish(work);
        ask_reader(work);
        people_run(work->people, now_ms);
    }
    cluster_publish_look(work->publish, now_ms);
    cluster_pair_flush(work->pair, now_ms);
    set_trouble(work);
}

void cluster_work_pause(struct cluster_work *work, bool is_paused)
{
    cluster_pair_pause(work->pair, is_paused);
}

void cluster_work_stop(struct cluster_work *work)
{
    people_stop(work->people);
}

bool cluster_work_is_busy(const struct cluster_work *work)
{
    bool is_left = cluster_publish_jobs(work->publish) > 0 || !people_has_stopped(work->people);
    return cluster_pair_is_up(work->pair) && is_left;
}

void cluster_work_end(struct cluster_work *work, uint64_t now_ms)
{
    work->now_ms = now_ms;
    cluster_pair_end(work->pair, now_ms);
    cluster_publish_give_up(work->publish);
    cluster_reader_give_up(work->reader);
}

const char *cluster_work_trouble(const struct cluster_work *work)
{
    return atomic_load(&work->trouble);
}

void cluster_work_status(struct cluster_work *work, struct cluster_status *status_r)
{
    pthread_mutex_lock(&work->status_lock);
    *status_r = work->status;
    pthread_mutex_unlock(&work->status_lock);
}
