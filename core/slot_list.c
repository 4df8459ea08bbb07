/* core/slot_list.c - the list's memory. */
#include "core/slot_list.h"

#include "core/memory.h"

#include <assert.h>

enum rc slot_list_init(struct slot_list *list, uint32_t capacity)
{
    *list = (struct slot_list){.slots = memory_reserve(capacity, sizeof(uint32_t)), .capacity = capacity};
    return list->slots != NULL ? RC_OK : RC_ENOMEM;
}

void slot_list_fini(struct slot_list *list)
{
    assert(list->count <= list->capacity);
    memory_release(list->slots, list->capacity, sizeof(uint32_t));
    *list = (struct slot_list){0};
}

enum rc slot_queue_init(struct slot_queue *queue, uint32_t capacity)
{
    *queue = (struct slot_queue){.slots = memory_reserve(capacity, sizeof(uint32_t)), .capacity = capacity};
    return queue->slots != NULL ? RC_OK : RC_ENOMEM;
}

void slot_queue_fini(struct slot_queue *queue)
{
    assert(queue->count <= queue->capacity);
    memory_release(queue->slots, queue->capacity, sizeof(uint32_t));
    *queue = (struct slot_queue){0};
}
