/* server/config/value.c - values of settings by what they own: nothing, a text, a list of texts. */
#include "server/config/value.h"

#include <stdlib.h>
#include <string.h>

bool value_copy_plain(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    return true;
}

bool value_copy_text(void *to, const void *from, size_t size)
{
    const char *text = *(char *const *)from;
    (void)size;
    if (text != NULL) *(char **)to = strdup(text);
    return text == NULL || *(char **)to != NULL;
}

bool value_copy_list(void *to, const void *from, size_t size)
{
    const struct text_list *list = from;
    struct text_list *copy = to;
    (void)size;
    if (list->count == 0) return true;
    copy->items = calloc(list->count, sizeof copy->items[0]);
    if (copy->items == NULL) return false;
    for (; copy->count < list->count; copy->count++) {
        copy->items[copy->count] = strdup(list->items[copy->count]);
        if (copy->items[copy->count] == NULL) return false;
    }
    return true;
}

bool value_is_same_plain(const void *one, const void *other, size_t size)
{
    return memcmp(one, other, size) == 0;
}

bool value_is_same_text(const void *one, const void *other, size_t size)
{
    const char *text = *(char *const *)one, *second = *(char *const *)other;
    (void)size;
    if (text == NULL || second == NULL) return text == second;
    return strcmp(text, second) == 0;
}

bool value_is_same_list(const void *one, const void *other, size_t size)
{
    const struct text_list *list = one, *second = other;
    uint32_t i = 0;
    (void)size;
    if (list->count != second->count) return false;
    while (i < list->count && strcmp(list->items[i], second->items[i]) == 0)
        i++;
    return i == list->count;
}
