/* server/cluster/cluster_queue.c - a table of queues, and the lists that they stand in. */
#include "server/cluster/cluster_queue.h"

#include "core/rc.h"
#include "server/cluster/cluster_job.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 64

enum rc cluster_queues_init(struct cluster_queues *queues)
{
    *queues = (struct cluster_queues){.capacity = CAPACITY_MIN};
    queues->chains = calloc(queues->capacity, sizeof(struct cluster_queue *));
    TAILQ_INIT(&queues->active);
    TAILQ_INIT(&queues->idle);
    TAILQ_INIT(&queues->ready);
    return queues->chains != NULL ? RC_OK : RC_ENOMEM;
}

void cluster_queues_fini(struct cluster_queues *queues)
{
    for (uint32_t i = 0; queues->chains != NULL && i < queues->capacity; i++) {
        for (struct cluster_queue *queue = queues->chains[i], *next; queue != NULL; queue = next) {
            next = queue->next_in_table;
            free(queue);
        }
    }
    free(queues->chains);
    *queues = (struct cluster_queues){0};
}

/* ---- table ---- */

static struct cluster_queue **chain_of(const struct cluster_queues *queues, const struct name *name)
{
    return &queues->chains[name->hash & (queues->capacity - 1)];
}

struct cluster_queue *cluster_queues_find(const struct cluster_queues *queues, const struct name *name)
{
    struct cluster_queue *queue = *chain_of(queues, name);
    while (queue != NULL && !name_equals(&queue->name, name))
        queue = queue->next_in_table;
    return queue;
}

/* Without memory for more chains they get longer. */
static void grow(struct cluster_queues *queues)
{
    struct cluster_queues larger = {.capacity = queues->capacity * 2};
    larger.chains = calloc(larger.capacity, sizeof(struct cluster_queue *));
    if (larger.chains == NULL) return;
    for (uint32_t i = 0; i < queues->capacity; i++) {
        for (struct cluster_queue *queue = queues->chains[i], *next; queue != NULL; queue = next) {
            next = queue->next_in_table;
            struct cluster_queue **chain = chain_of(&larger, &queue->name);
            queue->next_in_table = *chain;
            *chain = queue;
        }
    }
    free(queues->chains);
    queues->chains = larger.chains;
    queues->capacity = larger.capacity;
}

static struct cluster_queue *queue_new(const struct name *name, struct text app)
{
    struct cluster_queue *queue = calloc(1, sizeof *queue + name->length + app.count);
    if (queue == NULL) return NULL;
    char *to = (char *)(queue + 1);
    queue->name = *name;
    queue->name.text = text_copy(&to, name_text(name)).at;
    queue->app = text_copy(&to, app);
    return queue;
}

static void drop(struct cluster_queues *queues, struct cluster_queue *queue)
{
    struct cluster_queue **link = chain_of(queues, &queue->name);
    while (*link != queue)
        link = &(*link)->next_in_table;
    *link = queue->next_in_table;
    TAILQ_REMOVE(&queues->idle, queue, entry);
    queues->idle_count--;
    queues->count--;
    free(queue);
}

struct cluster_queue *cluster_queues_get(struct cluster_queues *queues, const struct name *name, struct text app)
{
    struct cluster_queue *queue = cluster_queues_find(queues, name);
    if (queue != NULL) return queue;
    if (queues->count >= queues->capacity) grow(queues);
    queue = queue_new(name, app);
    if (queue == NULL) return NULL;
    struct cluster_queue **chain = chain_of(queues, name);
    queue->next_in_table = *chain;
    *chain = queue;
    queues->count++;
    TAILQ_INSERT_TAIL(&queues->idle, queue, entry);
    queues->idle_count++;
    return queue;
}

/* ---- lists ---- */

void cluster_queue_put(struct cluster_queues *queues, struct cluster_queue *queue, struct cluster_job *job)
{
    job->item.next = NULL;
    if (queue->first == NULL) {
        queue->first = job;
    } else {
        queue->last->item.next = &job->item;
    }
    queue->last = job;
    if (queue->is_active) return;
    queue->is_active = true;
    TAILQ_REMOVE(&queues->idle, queue, entry);
    queues->idle_count--;
    TAILQ_INSERT_TAIL(&queues->active, queue, entry);
}

struct cluster_job *cluster_queue_take(struct cluster_queue *queue)
{
    struct cluster_job *job = queue->first;
    assert(job != NULL);
    queue->first = (struct cluster_job *)job->item.next;
    if (queue->under_way > 0) queue->under_way--;
    return job;
}

void cluster_queue_set_ready(struct cluster_queues *queues, struct cluster_queue *queue, bool is_ready)
{
    if (queue->is_ready == is_ready) return;
    queue->is_ready = is_ready;
    if (is_ready) {
        TAILQ_INSERT_TAIL(&queues->ready, queue, ready);
    } else {
        TAILQ_REMOVE(&queues->ready, queue, ready);
    }
}

void cluster_queue_rest(struct cluster_queues *queues, struct cluster_queue *queue, uint64_t now_ms)
{
    if (!queue->is_active || queue->first != NULL || queue->call == CALL_SENT || queue->not_before_ms > now_ms)
        return;
    queue->is_active = false;
    queue->call = CALL_NONE;
    cluster_queue_set_ready(queues, queue, false);
    TAILQ_REMOVE(&queues->active, queue, entry);
    TAILQ_INSERT_TAIL(&queues->idle, queue, entry);
    queues->idle_count++;
    if (queues->idle_count > QUEUES_IDLE_MAX) drop(queues, TAILQ_FIRST(&queues->idle));
}
