/* server/cluster/cluster_publish.c - queues of channels, and what becomes of their calls.
 *
 * Not obvious: the jobs of a call stay at the front of their queue until it is answered. One that was lost is the same
 * call again, with the same tokens, and stays lost when it is refused without anything done, since the first may have
 * been. */
#include "server/cluster/cluster_publish.h"

#include "core/counters.h"
#include "core/message.h"
#include "server/cluster/cluster_job.h"
#include "server/cluster/cluster_publish_call.h"
#include "server/cluster/cluster_publish_state.h"
#include "server/cluster/record.h"

#include <assert.h>
#include <stdlib.h>

#define LATE_AGAIN_MS 10

/* ---- lists of jobs ---- */

static void list_init(struct job_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_put(struct job_list *list, struct cluster_job *job)
{
    job->item.next = NULL;
    *list->end = job;
    list->end = (struct cluster_job **)&job->item.next;
}

/* Takes all of them out; they hang together by item.next. */
static struct cluster_job *list_take_all(struct job_list *list)
{
    struct cluster_job *first = list->first;
    list_init(list);
    return first;
}

/* ---- life ---- */

struct cluster_publish *cluster_publish_new(const struct cluster_publish_settings *settings,
                                            struct counters *counters)
{
    struct cluster_publish *publish = calloc(1, sizeof *publish);
    if (publish == NULL) return NULL;
    publish->settings = *settings;
    publish->counters = counters;
    list_init(&publish->held);
    list_init(&publish->behind);
    if (cluster_queues_init(&publish->queues) == RC_OK) return publish;
    cluster_publish_free(publish);
    return NULL;
}

void cluster_publish_free(struct cluster_publish *publish)
{
    if (publish == NULL) return;
    assert(publish->jobs == 0);
    cluster_queues_fini(&publish->queues);
    free(publish->scratch);
    free(publish);
}

uint64_t cluster_publish_jobs(const struct cluster_publish *publish)
{
    return publish->jobs;
}

/* ---- jobs come and go ---- */

static void count_waiting(struct cluster_publish *publish)
{
    counter_set(publish->counters, COUNTER_cluster_waiting, publish->jobs);
    counter_set(publish->counters, COUNTER_cluster_bytes_waiting, publish->bytes);
}

static void give_back(struct cluster_publish *publish, struct cluster_job *job, enum rc rc)
{
    job->rc = rc;
    publish->jobs--;
    publish->bytes -= job->record_bytes;
    if (rc != RC_OK) counter_add(publish->counters, COUNTER_cluster_refused, 1);
    count_waiting(publish);
    publish->settings.done(publish->settings.self, job);
}

/* Redis has done it. */
static void answer(struct cluster_publish *publish, struct cluster_job *job)
{
    if (publish->settings.is_confirmed) {
        list_put(&publish->held, job);
    } else {
        give_back(publish, job, RC_OK);
    }
}

void cluster_publish_ask(struct cluster_publish *publish, struct cluster_job *job, uint64_t now_ms)
{
    job->asked_ms = now_ms;
    job->number = 0;
    job->record_bytes = publish_kind_of(job) != PUBLISH_NOTHING ? record_bytes(job->message) : 0;
    publish->jobs++;
    publish->bytes += job->record_bytes;
    bool has_room = publish->bytes <= publish->settings.bytes_max || publish->bytes == job->record_bytes;
    struct cluster_queue *queue = NULL;
    if (has_room) queue = cluster_queues_get(&publish->queues, job->channel, text_of(job->app));
    if (queue == NULL) {
        give_back(publish, job, has_room ? RC_ENOMEM : RC_EFULL);
        return;
    }
    cluster_queue_put(&publish->queues, queue, job);
    if (queue->call != CALL_SENT) cluster_queue_set_ready(&publish->queues, queue, true);
    count_waiting(publish);
}

/* ---- calls ---- */

/* Jobs without frames at the front wait apart, so that they hold up nobody. */
static void take_empty_jobs(struct cluster_publish *publish, struct cluster_queue *queue)
{
    while (queue->under_way == 0 && queue->first != NULL && publish_kind_of(queue->first) == PUBLISH_NOTHING) {
        struct cluster_job *job = cluster_queue_take(queue);
        job->position = stream_id_position(&queue->place);
        job->number = queue->number;
        list_put(&publish->behind, job);
    }
}

bool cluster_publish_next(struct cluster_publish *publish, const struct cluster_time *time,
                          struct cluster_publish_call *call_r)
{
    struct cluster_queue *queue;
    while ((queue = TAILQ_FIRST(&publish->queues.ready)) != NULL) {
        assert(queue->call != CALL_SENT);
        bool is_time = queue->not_before_ms <= time->now_ms;
        if (is_time) take_empty_jobs(publish, queue);
        if (is_time && queue->first != NULL) {
            if (publish_make_call(publish, queue, time, call_r) == RC_OK) return true;
            queue->not_before_ms = time->now_ms + PUBLISH_AGAIN_MS;
        }
        cluster_queue_set_ready(&publish->queues, queue, false); /* cluster_publish_tick() looks again */
        cluster_queue_rest(&publish->queues, queue, time->now_ms);
    }
    return false;
}

void cluster_publish_sent(struct cluster_publish *publish, const struct cluster_publish_call *call)
{
    struct cluster_queue *queue = call->queue;
    queue->is_again = queue->call == CALL_LOST;
    queue->call = CALL_SENT;
    queue->under_way = call->messages;
    cluster_queue_set_ready(&publish->queues, queue, false);
    counter_add(publish->counters, COUNTER_cluster_calls, 1);
    if (queue->is_again) counter_add(publish->counters, COUNTER_cluster_asked_again, 1);
}

/* ---- answers ---- */

/* How the script PUBLISH answers for one record: its id, behind a '=' if its receipt was there. */
static enum rc read_id(struct cluster_queue *queue, struct cluster_job *job, const redisReply *reply)
{
    struct stream_id id;
    if (reply->type != REDIS_REPLY_STRING) return RC_ECLUSTER;
    struct text text = {reply->str, reply->len};
    job->is_repeat = text.count > 0 && text.at[0] == '=';
    if (job->is_repeat) text = text_behind(text, 1);
    if (!stream_id_read(text, &id)) return RC_ECLUSTER;
    job->position = stream_id_position(&id);
    bool is_newer =
        id.epoch > queue->place.epoch || (id.epoch == queue->place.epoch && id.offset > queue->place.offset);
    if (!is_newer) return RC_OK;
    if (id.epoch != queue->place.epoch && queue->expire_ms == 0) queue->expires_set_ms = 0; /* another stream */
    queue->place = id;
    return RC_OK;
}

/* What the i-th message of the call was answered. */
static enum rc read_answer(struct cluster_queue *queue, struct cluster_job *job, const redisReply *reply, uint32_t i)
{
    enum publish_kind kind = publish_kind_of(job);
    if (kind == PUBLISH_PLAIN) return reply->type == REDIS_REPLY_INTEGER ? RC_OK : RC_ECLUSTER;
    if (reply->type != REDIS_REPLY_ARRAY || i >= reply->elements) return RC_ECLUSTER;
    const redisReply *element = reply->element[i];
    if (kind == PUBLISH_KEPT) return read_id(queue, job, element);
    if (element->type != REDIS_REPLY_INTEGER) return RC_ECLUSTER;
    job->is_repeat = element->integer == 0 && !queue->is_again; /* else the receipt may be its own */
    return RC_OK;
}

static void go_on(struct cluster_publish *publish, struct cluster_queue *queue, uint64_t now_ms)
{
    if (queue->first != NULL) cluster_queue_set_ready(&publish->queues, queue, true);
    cluster_queue_rest(&publish->queues, queue, now_ms);
}

/* Gives back the messages of the call; `reply` NULL: they are refused. */
static void end_call(struct cluster_publish *publish, struct cluster_queue *queue, const redisReply *reply,
                     uint64_t now_ms)
{
    uint32_t count = queue->under_way;
    queue->call = CALL_NONE;
    if (reply != NULL && queue->expire_ms > 0) queue->expires_set_ms = now_ms;
    for (uint32_t i = 0; i < count; i++) {
        struct cluster_job *job = cluster_queue_take(queue);
        enum rc rc = reply != NULL ? read_answer(queue, job, reply, i) : RC_ECLUSTER;
        if (rc != RC_OK) {
            give_back(publish, job, rc);
            continue;
        }
        if (!job->is_repeat) queue->number = job->number;
        answer(publish, job);
    }
    go_on(publish, queue, now_ms);
}

/* Nothing of it was done, this time. */
static void ask_again(struct cluster_publish *publish, struct cluster_queue *queue, uint64_t wait_ms, uint64_t now_ms)
{
    queue->call = queue->is_again ? CALL_LOST : CALL_NONE;
    if (!queue->is_again) queue->under_way = 0;
    queue->not_before_ms = now_ms + wait_ms;
    go_on(publish, queue, now_ms);
}

const struct redis_error *cluster_publish_answered(struct cluster_publish *publish, struct cluster_queue *queue,
                                                   const redisReply *reply, uint64_t now_ms)
{
    assert(queue->call == CALL_SENT && queue->under_way > 0);
    if (reply->type != REDIS_REPLY_ERROR) {
        end_call(publish, queue, reply, now_ms);
        return NULL;
    }
    const struct redis_error *error = redis_error_of((struct text){reply->str, reply->len});
    switch (error->kind) {
    case REDIS_ERROR_LATE:
        counter_add(publish->counters, COUNTER_cluster_late, 1);
        ask_again(publish, queue, LATE_AGAIN_MS, now_ms);
        break;
    case REDIS_ERROR_SCRIPTS:
        ask_again(publish, queue, 0, now_ms);
        break;
    case REDIS_ERROR_LATER:
    case REDIS_ERROR_MASTER:
        ask_again(publish, queue, PUBLISH_AGAIN_MS, now_ms);
        break;
    case REDIS_ERROR_REFUSED:
        end_call(publish, queue, NULL, now_ms);
        break;
    }
    return error;
}

void cluster_publish_confirmed(struct cluster_publish *publish, bool is_safe)
{
    for (struct cluster_job *job = list_take_all(&publish->held), *next; job != NULL; job = next) {
        next = (struct cluster_job *)job->item.next;
        give_back(publish, job, is_safe ? RC_OK : RC_ECLUSTER);
    }
}

/* ---- the server goes, and comes ---- */

void cluster_publish_lost(struct cluster_publish *publish, const struct cluster_time *time)
{
    struct cluster_queue *queue;
    cluster_publish_confirmed(publish, false);
    TAILQ_FOREACH(queue, &publish->queues.active, entry)
    {
        if (queue->call != CALL_SENT) continue;
        uint64_t left_ms = queue->deadline_ms > time->redis_ms ? queue->deadline_ms - time->redis_ms : 0;
        queue->call = CALL_LOST;
        queue->not_before_ms = left_ms > 0 ? time->now_ms + left_ms + 1 : 0;
        cluster_queue_set_ready(&publish->queues, queue, true);
    }
}

void cluster_publish_set_generation(struct cluster_publish *publish, uint64_t generation, bool is_other_life)
{
    struct cluster_queue *queue;
    publish->generation = generation;
    if (!is_other_life) return;
    TAILQ_FOREACH(queue, &publish->queues.active, entry)
    {
        if (queue->call == CALL_SENT) continue;
        queue->not_before_ms = 0;
        queue->expires_set_ms = 0;
        cluster_queue_set_ready(&publish->queues, queue, true);
    }
    TAILQ_FOREACH(queue, &publish->queues.idle, entry)
    queue->expires_set_ms = 0;
}

/* ---- now and then ---- */

void cluster_publish_told(struct cluster_publish *publish, const struct name *name, uint64_t number)
{
    struct cluster_queue *queue = cluster_queues_find(&publish->queues, name);
    if (queue != NULL && queue->number_told < number) queue->number_told = number;
}

static bool is_told(struct cluster_publish *publish, const struct cluster_job *job)
{
    struct stream_id place = {0};
    stream_id_of_position(&job->position, &place);
    if (publish->settings.is_told(publish->settings.self, job->channel, &place)) return true;
    const struct cluster_queue *queue = cluster_queues_find(&publish->queues, job->channel);
    return queue == NULL || (place.epoch == 0 && queue->number_told >= job->number);
}

void cluster_publish_look(struct cluster_publish *publish, uint64_t now_ms)
{
    for (struct cluster_job *job = list_take_all(&publish->behind), *next; job != NULL; job = next) {
        next = (struct cluster_job *)job->item.next;
        if (now_ms - job->asked_ms >= PUBLISH_TOLD_MS || is_told(publish, job)) {
            give_back(publish, job, RC_OK);
        } else {
            list_put(&publish->behind, job);
        }
    }
}

static void end_patience(struct cluster_publish *publish, struct cluster_queue *queue, uint64_t now_ms)
{
    while (queue->first != NULL && now_ms - queue->first->asked_ms >= publish->settings.patience_ms) {
        if (queue->under_way > 0 && now_ms < queue->not_before_ms) return; /* it may be done yet */
        give_back(publish, cluster_queue_take(queue), RC_ECLUSTER);
        if (queue->under_way == 0) queue->call = CALL_NONE;
    }
}

void cluster_publish_tick(struct cluster_publish *publish, uint64_t now_ms)
{
    struct cluster_queue *next;
    for (struct cluster_queue *queue = TAILQ_FIRST(&publish->queues.active); queue != NULL; queue = next) {
        next = TAILQ_NEXT(queue, entry);
        if (queue->call == CALL_SENT) continue;
        end_patience(publish, queue, now_ms);
        if (queue->not_before_ms <= now_ms && queue->first != NULL) {
            cluster_queue_set_ready(&publish->queues, queue, true);
        }
        cluster_queue_rest(&publish->queues, queue, now_ms);
    }
}

uint64_t cluster_publish_oldest_ms(const struct cluster_publish *publish)
{
    uint64_t oldest_ms = 0;
    const struct cluster_queue *queue;
    TAILQ_FOREACH(queue, &publish->queues.active, entry)
    {
        const struct cluster_job *job = queue->first;
        if (job != NULL && (oldest_ms == 0 || job->asked_ms < oldest_ms)) oldest_ms = job->asked_ms;
    }
    return oldest_ms;
}

void cluster_publish_give_up(struct cluster_publish *publish)
{
    struct cluster_queue *queue;
    cluster_publish_confirmed(publish, false);
    while ((queue = TAILQ_FIRST(&publish->queues.active)) != NULL) {
        while (queue->first != NULL)
            give_back(publish, cluster_queue_take(queue), RC_ECLUSTER);
        queue->call = CALL_NONE;
        queue->not_before_ms = 0;
        cluster_queue_rest(&publish->queues, queue, 0);
    }
    for (struct cluster_job *job = list_take_all(&publish->behind), *next; job != NULL; job = next) {
        next = (struct cluster_job *)job->item.next;
        give_back(publish, job, RC_ECLUSTER);
    }
}
