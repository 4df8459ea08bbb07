/* server/webhook/webhook_item.h - a copied event on its way through the webhook thread, and its JSON.
 *
 * Threads:   made by a sender, then the webhook thread's.
 * Ownership: one piece of memory with the texts behind it; free() gives it back. */
#pragma once

#include "server/webhook/webhook_event.h"

#include <stddef.h>
#include <stdint.h>

struct webhook_item {
    struct webhook_event event; /* its texts point into `bytes` */
    /* What follows is for server/webhook/webhook_queue.c alone: */
    struct webhook_item *next;     /* in the list of those that are delayed or those that wait */
    struct webhook_item *previous; /* only while delayed */
    struct webhook_item *chained;  /* in the table of delayed ones */
    uint64_t hash;                 /* of app, channel and user; only while delayed */
    uint64_t at_ms;                /* while delayed: when that ends; while waiting: since when */
    char bytes[];
};

/* The kind that undoes this one: occupied and vacated, added and removed; of any other, the kind itself. */
enum webhook_kind webhook_counterpart(enum webhook_kind kind);

/* NULL: out of memory. */
struct webhook_item *webhook_item_new(const struct webhook_event *event);

/* How long the event is as it stands in a body's list: {"name":"channel_occupied","channel":"room-7"} */
size_t webhook_item_json_bytes(const struct webhook_item *item);
/* Writes the event as it stands in a body's list; returns the end of what it wrote. */
char *webhook_item_json_write(char *to, const struct webhook_item *item);
