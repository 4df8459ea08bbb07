/* server/cluster/redis_entries.c - reading records as far as it takes to know whose they are. */
#include "server/cluster/redis_entries.h"

#include "server/cluster/record.h"

#include <stdlib.h>

void redis_entries_fini(struct redis_entries *entries)
{
    free(entries->items);
    *entries = (struct redis_entries){0};
}

static bool make_room(struct redis_entries *entries, uint64_t count)
{
    entries->count = entries->unreadable = 0;
    if (count <= entries->capacity) return true;
    struct cluster_entry *items = reallocarray(entries->items, count, sizeof *items);
    if (items == NULL) return false;
    entries->items = items;
    entries->capacity = (uint32_t)count;
    return true;
}

/* Takes a record from the front; one that cannot be read leaves the entry without. False: nor can what follows. */
static bool take_record(struct text *rest, struct cluster_entry *entry)
{
    struct text before = *rest;
    struct record record;
    enum rc rc = record_take(rest, &record);
    if (rc != RC_OK) return rc == RC_EINVAL;
    entry->node = record.token.node;
    entry->counter = record.token.number;
    entry->record = text_between(before.at, rest->at);
    return true;
}

enum rc redis_entries_of_push(struct redis_entries *entries, const struct push *push)
{
    if (push->kind != PUSH_RECORDS || push->count == 0 || push->count > push->rest.count / RECORD_BYTES_MIN)
        return RC_EINVAL;
    if (push->id.epoch > STREAM_EPOCH_MAX || push->id.offset > UINT64_MAX - push->count) return RC_EINVAL;
    if (!make_room(entries, push->count)) return RC_ENOMEM;
    struct text rest = push->rest;
    bool is_readable = true;
    for (; entries->count < push->count; entries->count++) {
        struct cluster_entry *entry = &entries->items[entries->count];
        *entry = (struct cluster_entry){.id = push->id, .time_ms = push->time_ms};
        if (push->id.epoch > 0) entry->id.offset += entries->count;
        is_readable = is_readable && take_record(&rest, entry);
        entries->unreadable += entry->record.at == NULL;
    }
    return RC_OK;
}

static struct text text_of_reply(const redisReply *reply)
{
    bool is_text = reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
    return is_text ? (struct text){reply->str, reply->len} : (struct text){0};
}

static bool read_id(const redisReply *reply, struct stream_id *id_r)
{
    return stream_id_read(text_of_reply(reply), id_r) && id_r->epoch <= STREAM_EPOCH_MAX;
}

/* Fields, each with its value: t and d, if it is a message. */
static void read_fields(const redisReply *fields, struct cluster_entry *entry)
{
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        struct text name = text_of_reply(fields->element[i]), value = text_of_reply(fields->element[i + 1]);
        if (text_is(name, "t")) (void)text_is_number(value, &entry->time_ms);
        if (text_is(name, "d")) (void)take_record(&value, entry);
    }
}

enum rc redis_entries_of_range(struct redis_entries *entries, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY) return RC_EINVAL;
    if (!make_room(entries, reply->elements)) return RC_ENOMEM;
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *item = reply->element[i];
        struct cluster_entry *entry = &entries->items[entries->count];
        *entry = (struct cluster_entry){0};
        if (item->type != REDIS_REPLY_ARRAY || item->elements != 2 || !read_id(item->element[0], &entry->id))
            return RC_EINVAL;
        if (item->element[1]->type == REDIS_REPLY_ARRAY && entry->id.offset > 0) {
            read_fields(item->element[1], entry);
            entries->unreadable += entry->record.at == NULL;
        }
        entries->count++;
    }
    return RC_OK;
}

enum rc redis_entries_of_id(struct redis_entries *entries, const redisReply *reply)
{
    if (!make_room(entries, 1)) return RC_ENOMEM;
    entries->items[0] = (struct cluster_entry){0};
    if (!read_id(reply, &entries->items[0].id)) return RC_EINVAL;
    entries->count = 1;
    return RC_OK;
}
