/* server/cluster/cluster_kept.c - each push in one block: its entries, then their records. */
#include "server/cluster/cluster_kept.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

size_t cluster_kept_bytes(const struct cluster_entry *entries, uint32_t count)
{
    size_t bytes = sizeof(struct cluster_kept_push) + count * sizeof *entries;
    for (uint32_t i = 0; i < count; i++)
        bytes += entries[i].record.count;
    return bytes;
}

bool cluster_kept_put(struct cluster_kept *kept, const struct cluster_entry *entries, uint32_t count)
{
    size_t bytes = cluster_kept_bytes(entries, count);
    struct cluster_kept_push *push = malloc(bytes);
    if (push == NULL) return false;
    *push = (struct cluster_kept_push){.next = push, .count = count, .bytes = (uint32_t)bytes};
    char *to = (char *)(push->entries + count);
    for (uint32_t i = 0; i < count; i++) {
        push->entries[i] = entries[i];
        push->entries[i].record.at = to;
        if (entries[i].record.count > 0) memcpy(to, entries[i].record.at, entries[i].record.count);
        to += entries[i].record.count;
    }
    if (kept->last != NULL) {
        push->next = kept->last->next;
        kept->last->next = push;
    }
    kept->last = push;
    return true;
}

struct cluster_kept_push *cluster_kept_take(struct cluster_kept *kept)
{
    assert(kept->last != NULL);
    struct cluster_kept_push *first = kept->last->next;
    kept->last->next = first->next;
    if (first == kept->last) kept->last = NULL;
    return first;
}

void cluster_kept_mark_asked_over(struct cluster_kept *kept)
{
    struct cluster_kept_push *push = kept->last;
    for (bool is_more = push != NULL; is_more; is_more = push != kept->last) {
        push->was_asked_over = true;
        push = push->next;
    }
}
