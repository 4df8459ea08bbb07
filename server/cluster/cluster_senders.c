/* server/cluster/cluster_senders.c - a short array, the latest in front: mostly one node says several things. */
#include "server/cluster/cluster_senders.h"

#include <stdlib.h>
#include <string.h>

struct cluster_sender {
    uint64_t node;
    uint64_t counter;
    uint32_t last_s;
};

/* To the front. */
static void put_first(struct cluster_senders *senders, uint32_t i, struct cluster_sender sender)
{
    memmove(senders->items + 1, senders->items, i * sizeof sender);
    senders->items[0] = sender;
}

/* Times are in one order only as long as the clock is: so all are looked at. */
static void forget_old(struct cluster_senders *senders, uint32_t now_s)
{
    uint16_t kept = 0;
    for (uint32_t i = 0; i < senders->count; i++) {
        if (now_s - senders->items[i].last_s < SENDER_FORGOTTEN_S) senders->items[kept++] = senders->items[i];
    }
    senders->count = kept;
}

static bool has_room(struct cluster_senders *senders)
{
    if (senders->count < senders->capacity) return true;
    if (senders->capacity > UINT16_MAX / 2) return false;
    uint16_t capacity = (uint16_t)(senders->capacity == 0 ? 1 : 2 * senders->capacity);
    struct cluster_sender *items = realloc(senders->items, capacity * sizeof *items);
    if (items == NULL) return false;
    senders->items = items;
    senders->capacity = capacity;
    return true;
}

bool cluster_senders_take(struct cluster_senders *senders, uint64_t node, uint64_t counter, uint32_t now_s)
{
    for (uint32_t i = 0; i < senders->count; i++) {
        struct cluster_sender sender = senders->items[i];
        if (sender.node != node) continue;
        bool is_forgotten = now_s - sender.last_s >= SENDER_FORGOTTEN_S;
        if (counter <= sender.counter && !is_forgotten) return false;
        put_first(senders, i, (struct cluster_sender){node, counter, now_s});
        return true;
    }
    if (senders->count == senders->capacity) forget_old(senders, now_s);
    if (has_room(senders)) put_first(senders, senders->count++, (struct cluster_sender){node, counter, now_s});
    return true;
}

void cluster_senders_fini(struct cluster_senders *senders)
{
    free(senders->items);
    *senders = (struct cluster_senders){0};
}
