/* core/slot_list.h - connections of a shard that need something later: a list of slots, each at most once, or a queue.
 *
 * Room for every slot is reserved at the start, so adding cannot fail; memory is touched only as far as it is used.
 * Whether a slot is in the list already is the owner's mark to keep. One thread. */
#pragma once

#include "core/rc.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct slot_list {
    uint32_t *slots;
    uint32_t count;
    uint32_t capacity;
};

/* First in, first out, in a ring; a slot may stand in it more than once. */
struct slot_queue {
    uint32_t *slots;
    uint32_t first;
    uint32_t count;
    uint32_t capacity;
};

enum rc slot_list_init(struct slot_list *list, uint32_t capacity);
void slot_list_fini(struct slot_list *list);

static inline void slot_list_add(struct slot_list *list, uint32_t slot)
{
    assert(list->count < list->capacity);
    list->slots[list->count++] = slot;
}

enum rc slot_queue_init(struct slot_queue *queue, uint32_t capacity);
void slot_queue_fini(struct slot_queue *queue);

/* False: it is full. */
static inline bool slot_queue_add(struct slot_queue *queue, uint32_t slot)
{
    if (queue->count == queue->capacity) return false;
    uint32_t end = queue->first + queue->count;
    queue->slots[end < queue->capacity ? end : end - queue->capacity] = slot;
    queue->count++;
    return true;
}

/* The n-th from the front, which is there. */
static inline uint32_t slot_queue_at(const struct slot_queue *queue, uint32_t n)
{
    uint32_t at = queue->first + n;
    return queue->slots[at < queue->capacity ? at : at - queue->capacity];
}

/* Takes the first out of a queue that is not empty. */
static inline uint32_t slot_queue_take(struct slot_queue *queue)
{
    uint32_t slot = queue->slots[queue->first];
    if (++queue->first == queue->capacity) queue->first = 0;
    queue->count--;
    return slot;
}
