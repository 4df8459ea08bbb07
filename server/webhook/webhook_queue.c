/* server/webhook/webhook_queue.c - a list of delayed events, one of waiting events for each app,
 * and bodies made of them.
 *
 * All delays are equally long, and none ends before one that began earlier, so the list of delayed events is in the
 * order in which they end; a table finds the one that a return cancels. The table's hash is keyed (core/name.h), since
 * clients choose the names. */
#include "server/webhook/webhook_queue.h"

#include "core/memory.h"
#include "core/name.h"
#include "server/config/options.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_CAPACITY_MIN 64
#define OUT_OF_MEMORY_MS   1000 /* how long an app pauses when there is no memory for a body */
#define BODY_BEGIN_MAX     64   /* {"time_ms":N,"events":[ */
#define BODY_END           "]}"

/* What one app has. */
struct backlog {
    struct webhook_item *first; /* waiting, oldest first */
    struct webhook_item **end;  /* NULL: nothing has waited yet */
    uint32_t waiting;
    uint32_t held; /* delayed, waiting or in a request */
    uint64_t paused_until_ms;
};

struct webhook_queue {
    const struct options *options;
    struct counters *counters;
    struct backlog *backlogs; /* by the app's index, APP_INDEXES_MAX: those that are used take memory */
    bool is_flushing;

    struct webhook_item *delayed_first, *delayed_last; /* the one that ends first comes first */
    struct webhook_item **table;                       /* of the delayed */
    uint32_t table_capacity;                           /* a power of two */
    uint32_t delayed;
};

struct webhook_queue *webhook_queue_new(const struct options *options, struct counters *counters)
{
    struct webhook_queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) return NULL;
    *queue = (struct webhook_queue){.options = options, .counters = counters, .table_capacity = TABLE_CAPACITY_MIN};
    queue->backlogs = memory_reserve(APP_INDEXES_MAX, sizeof queue->backlogs[0]);
    queue->table = calloc(queue->table_capacity, sizeof queue->table[0]);
    if (queue->backlogs == NULL || queue->table == NULL) {
        webhook_queue_free(queue);
        return NULL;
    }
    return queue;
}

void webhook_queue_take_options(struct webhook_queue *queue, const struct options *options)
{
    assert(options->app.count >= queue->options->app.count);
    queue->options = options;
}

/* The event has left the queue. */
static void let_go(struct webhook_queue *queue, struct webhook_item *item)
{
    assert(queue->backlogs[item->event.app].held > 0);
    queue->backlogs[item->event.app].held--;
    counter_subtract(queue->counters, COUNTER_webhook_events_waiting, 1);
    free(item);
}

static void drop_list(struct webhook_queue *queue, struct webhook_item *first)
{
    for (struct webhook_item *next; first != NULL; first = next) {
        next = first->next;
        counter_add(queue->counters, COUNTER_webhook_events_dropped, 1);
        let_go(queue, first);
    }
}

void webhook_queue_free(struct webhook_queue *queue)
{
    if (queue == NULL) return;
    webhook_queue_flush(queue, 0); /* delayed events that are not wanted go without being counted */
    for (uint32_t i = 0; queue->backlogs != NULL && i < queue->options->app.count; i++) {
        drop_list(queue, queue->backlogs[i].first);
        assert(queue->backlogs[i].held == 0); /* a request is still lent out */
    }
    memory_release(queue->backlogs, APP_INDEXES_MAX, sizeof queue->backlogs[0]);
    free(queue->table);
    free(queue);
}

static bool is_wanted(const struct webhook_queue *queue, const struct webhook_event *event)
{
    return app_has_webhook(&queue->options->app.items[event->app], event->kind);
}

/* ---- delayed ---- */

static bool is_delayed_kind(enum webhook_kind kind)
{
    return kind == WEBHOOK_channel_vacated || kind == WEBHOOK_member_removed;
}

static bool is_return_kind(enum webhook_kind kind)
{
    return kind == WEBHOOK_channel_occupied || kind == WEBHOOK_member_added;
}

/* Does this return cancel that departure? */
static bool cancels(const struct webhook_event *back, const struct webhook_event *gone)
{
    return webhook_counterpart(back->kind) == gone->kind && back->app == gone->app &&
           text_equals(back->channel, gone->channel) && text_equals(back->user_id, gone->user_id);
}

static uint64_t hash_of(const struct webhook_event *event)
{
    uint64_t hash = name_of(event->app, event->channel).hash;
    if (event->user_id.at == NULL) return hash;
    return hash * 31 + name_of(event->app, event->user_id).hash;
}

static struct webhook_item **chain_of(const struct webhook_queue *queue, uint64_t hash)
{
    return &queue->table[hash & (queue->table_capacity - 1)];
}

static void table_put(struct webhook_queue *queue, struct webhook_item *item)
{
    struct webhook_item **chain = chain_of(queue, item->hash);
    item->chained = *chain;
    *chain = item;
}

/* Without the memory for a larger table, the old one goes on with longer chains. */
static void table_grow(struct webhook_queue *queue)
{
    uint32_t capacity = 2 * queue->table_capacity;
    struct webhook_item **table = calloc(capacity, sizeof table[0]);
    if (table == NULL) return;
    free(queue->table);
    queue->table = table;
    queue->table_capacity = capacity;
    for (struct webhook_item *item = queue->delayed_first; item != NULL; item = item->next) {
        table_put(queue, item);
    }
}

static void delay(struct webhook_queue *queue, struct webhook_item *item, uint64_t now_ms)
{
    assert(is_delayed_kind(item->event.kind));
    if (queue->delayed >= queue->table_capacity) table_grow(queue);
    item->at_ms = now_ms + queue->options->webhook_delay_ms;
    bool is_before = queue->delayed_last != NULL && queue->delayed_last->at_ms > item->at_ms;
    if (is_before) item->at_ms = queue->delayed_last->at_ms; /* the delay has become shorter */
    item->hash = hash_of(&item->event);
    item->next = NULL;
    item->previous = queue->delayed_last;
    *(queue->delayed_last != NULL ? &queue->delayed_last->next : &queue->delayed_first) = item;
    queue->delayed_last = item;
    queue->delayed++;
    table_put(queue, item);
}

/* Out of the list and the table. */
static void take_from_delayed(struct webhook_queue *queue, struct webhook_item *item)
{
    assert(queue->delayed > 0);
    *(item->previous != NULL ? &item->previous->next : &queue->delayed_first) = item->next;
    *(item->next != NULL ? &item->next->previous : &queue->delayed_last) = item->previous;
    struct webhook_item **place = chain_of(queue, item->hash);
    while (*place != item) {
        place = &(*place)->chained;
    }
    *place = item->chained;
    queue->delayed--;
}

/* Lets go of the delayed event that this one cancels; false: there is none. */
static bool cancel(struct webhook_queue *queue, const struct webhook_event *back)
{
    uint64_t hash = hash_of(back);
    for (struct webhook_item *item = *chain_of(queue, hash); item != NULL; item = item->chained) {
        if (item->hash != hash || !cancels(back, &item->event)) continue;
        take_from_delayed(queue, item);
        let_go(queue, item);
        return true;
    }
    return false;
}

/* ---- waiting ---- */

static void wait_for_request(struct webhook_queue *queue, struct webhook_item *item, uint64_t since_ms)
{
    struct backlog *backlog = &queue->backlogs[item->event.app];
    item->at_ms = since_ms;
    item->next = NULL;
    if (backlog->end == NULL) backlog->end = &backlog->first;
    *backlog->end = item;
    backlog->end = &item->next;
    backlog->waiting++;
}

static void end_delay(struct webhook_queue *queue, struct webhook_item *item, uint64_t now_ms)
{
    assert(queue->delayed > 0);
    take_from_delayed(queue, item);
    if (is_wanted(queue, &item->event))
        wait_for_request(queue, item, now_ms);
    else
        let_go(queue, item); /* it was there for its counterpart to meet it */
}

void webhook_queue_end_delays(struct webhook_queue *queue, uint64_t now_ms)
{
    while (webhook_queue_delay_ends_at_ms(queue) <= now_ms) {
        end_delay(queue, queue->delayed_first, now_ms);
    }
}

void webhook_queue_flush(struct webhook_queue *queue, uint64_t now_ms)
{
    queue->is_flushing = true;
    while (queue->delayed_first != NULL) {
        end_delay(queue, queue->delayed_first, now_ms);
    }
}

enum rc webhook_queue_add(struct webhook_queue *queue, struct webhook_item *item, uint64_t now_ms)
{
    const struct webhook_event *event = &item->event;
    assert(event->app < queue->options->app.count);
    struct backlog *backlog = &queue->backlogs[event->app];
    webhook_queue_end_delays(queue, now_ms); /* what is over is no longer cancelled */
    bool is_to_send = is_wanted(queue, event);
    bool is_delayed = is_delayed_kind(event->kind) && queue->options->webhook_delay_ms > 0 && !queue->is_flushing;
    if ((is_return_kind(event->kind) && cancel(queue, event)) || (!is_to_send && !is_delayed)) {
        free(item);
        return RC_OK;
    }
    if (backlog->held >= queue->options->webhook_events_max) {
        free(item);
        if (!is_to_send) return RC_OK;
        counter_add(queue->counters, COUNTER_webhook_events_dropped, 1);
        return RC_EFULL;
    }
    backlog->held++;
    counter_add(queue->counters, COUNTER_webhook_events_waiting, 1);
    if (is_delayed)
        delay(queue, item, now_ms);
    else
        wait_for_request(queue, item, now_ms);
    return RC_OK;
}

uint64_t webhook_queue_delay_ends_at_ms(const struct webhook_queue *queue)
{
    return queue->delayed_first != NULL ? queue->delayed_first->at_ms : UINT64_MAX;
}

uint64_t webhook_queue_ready_at_ms(const struct webhook_queue *queue, uint32_t app)
{
    assert(app < queue->options->app.count);
    const struct backlog *backlog = &queue->backlogs[app];
    if (backlog->first == NULL) return UINT64_MAX;
    bool is_full = backlog->waiting >= WEBHOOK_REQUEST_EVENTS_MAX || queue->is_flushing;
    uint64_t at_ms = backlog->first->at_ms + (is_full ? 0 : queue->options->webhook_batch_ms);
    return at_ms > backlog->paused_until_ms ? at_ms : backlog->paused_until_ms;
}

uint32_t webhook_queue_held(const struct webhook_queue *queue, uint32_t app)
{
    assert(app < queue->options->app.count);
    return queue->backlogs[app].held;
}

/* ---- requests ---- */

/* How many of the waiting events share the next body, which has then at most *bytes_r bytes. */
static uint32_t choose(const struct webhook_queue *queue, const struct backlog *backlog, size_t *bytes_r)
{
    assert(backlog->first != NULL);
    uint32_t events_max = queue->options->webhook_batch_ms > 0 ? WEBHOOK_REQUEST_EVENTS_MAX : 1;
    uint32_t events = 0;
    *bytes_r = BODY_BEGIN_MAX + strlen(BODY_END);
    for (const struct webhook_item *item = backlog->first; item != NULL && events < events_max; item = item->next) {
        size_t bytes = webhook_item_json_bytes(item) + strlen(",");
        if (events > 0 && *bytes_r + bytes > WEBHOOK_BODY_BYTES_MAX) break;
        *bytes_r += bytes;
        events++;
    }
    return events;
}

static struct webhook_item *take_waiting(struct backlog *backlog)
{
    assert(backlog->first != NULL && backlog->waiting > 0);
    struct webhook_item *item = backlog->first;
    backlog->first = item->next;
    if (item->next == NULL) backlog->end = &backlog->first;
    backlog->waiting--;
    return item;
}

struct webhook_request *webhook_queue_take(struct webhook_queue *queue, uint32_t app, uint64_t now_ms,
                                           uint64_t wall_ms)
{
    assert(app < queue->options->app.count);
    struct backlog *backlog = &queue->backlogs[app];
    if (webhook_queue_ready_at_ms(queue, app) > now_ms) return NULL;
    size_t bytes;
    uint32_t events = choose(queue, backlog, &bytes);
    struct webhook_request *request = malloc(sizeof *request + bytes);
    if (request == NULL) {
        backlog->paused_until_ms = now_ms + OUT_OF_MEMORY_MS;
        return NULL;
    }
    *request = (struct webhook_request){.app = backlog->first->event.app, .events = events};
    char *to = request->body;
    to += snprintf(to, BODY_BEGIN_MAX, "{\"time_ms\":%llu,\"events\":[", (unsigned long long)wall_ms);
    for (uint32_t i = 0; i < events; i++) {
        struct webhook_item *item = take_waiting(backlog);
        if (i > 0) *to++ = ',';
        to = webhook_item_json_write(to, item);
        free(item);
    }
    memcpy(to, BODY_END, strlen(BODY_END));
    to += strlen(BODY_END);
    request->body_bytes = (size_t)(to - request->body);
    assert(request->body_bytes <= bytes);
    return request;
}

void webhook_queue_done(struct webhook_queue *queue, struct webhook_request *request, bool is_sent)
{
    assert(queue->backlogs[request->app].held >= request->events);
    enum counter counter = is_sent ? COUNTER_webhook_events_sent : COUNTER_webhook_events_dropped;
    counter_add(queue->counters, counter, request->events);
    counter_subtract(queue->counters, COUNTER_webhook_events_waiting, request->events);
    queue->backlogs[request->app].held -= request->events;
    free(request);
}
