/* core/slot_list.c - the list's memory. */
#include "core/slot_list.h"

#include "core/memory.h"

enum rc slot_list_init(struct slot_list *list, uint32_t capacity)
{
    *list = (struct slot_list){.slots = memory_reserve(capacity, sizeof(uint32_t)), .capacity = capacity};
    return list->slots != NULL ? RC_OK : RC_ENOMEM;
}

void slot_list_fini(struct slot_list *list)
{
    memory_release(list->slots, list->capacity, sizeof(uint32_t));
    *list = (struct slot_list){0};
}
