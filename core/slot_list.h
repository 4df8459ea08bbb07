/* core/slot_list.h - connections of a shard that need something later: a list of slots, each at most once.
 *
 * Room for every slot is reserved at the start, so adding cannot fail; memory is touched only as far as it is used.
 * Whether a slot is in the list already is the owner's mark to keep. One thread. */
#pragma once

#include "core/rc.h"

#include <assert.h>
#include <stdint.h>

struct slot_list {
    uint32_t *slots;
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
