/* core/outbox.c - the queue behind one connection; the entries behind the first stand in a circular array. */
#include "core/outbox.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct outbox_rest {
    uint32_t capacity; /* power of two */
    uint32_t head;
    uint32_t count;
    struct batch *batches[];
};

static inline struct batch **rest_at(struct outbox_rest *rest, uint32_t index)
{
    assert(index < rest->capacity);
    return &rest->batches[(rest->head + index) & (rest->capacity - 1)];
}

/* Makes room for one more entry. */
static enum rc rest_reserve(struct outbox *outbox)
{
    struct outbox_rest *old = outbox->rest;
    if (old != NULL && old->count < old->capacity) return RC_OK;
    uint32_t capacity = old != NULL ? 2 * old->capacity : 8;
    struct outbox_rest *rest = malloc(sizeof *rest + capacity * sizeof rest->batches[0]);
    if (rest == NULL) return RC_ENOMEM;
    *rest = (struct outbox_rest){.capacity = capacity};
    if (old != NULL) {
        for (; rest->count < old->count; rest->count++) {
            rest->batches[rest->count] = *rest_at(old, rest->count);
        }
        free(old);
    }
    outbox->rest = rest;
    return RC_OK;
}

static struct batch *rest_take_first(struct outbox *outbox)
{
    struct outbox_rest *rest = outbox->rest;
    if (rest == NULL) return NULL;
    assert(rest->count > 0);
    struct batch *batch = *rest_at(rest, 0);
    rest->head = (rest->head + 1) & (rest->capacity - 1);
    if (--rest->count == 0) {
        free(rest);
        outbox->rest = NULL;
    }
    return batch;
}

enum rc outbox_append_behind(struct outbox *outbox, struct batch *batch)
{
    assert(outbox->first != NULL);
    enum rc rc = rest_reserve(outbox);
    if (rc != RC_OK) return rc;
    struct outbox_rest *rest = outbox->rest;
    *rest_at(rest, rest->count) = batch;
    rest->count++;
    outbox->bytes += batch->count;
    batch_hold(batch);
    return RC_OK;
}

/* Puts a batch before the rest's entry `index`; few stand before it, so those move. */
static void rest_insert(struct outbox_rest *rest, uint32_t index, struct batch *batch)
{
    assert(rest->count < rest->capacity && index <= rest->count);
    rest->head = (rest->head - 1) & (rest->capacity - 1);
    rest->count++;
    for (uint32_t i = 0; i < index; i++) {
        *rest_at(rest, i) = *rest_at(rest, i + 1);
    }
    *rest_at(rest, index) = batch;
}

/* Where the entry behind the last control frame stands, counted from the first. */
static uint32_t controls_end(const struct outbox *outbox)
{
    bool first_is_begun_message = outbox->first_sent > 0 && !outbox->first->is_control;
    return (first_is_begun_message ? 1 : 0) + outbox->controls;
}

static void replace_newest_control(struct outbox *outbox, struct counters *counters, struct batch *batch)
{
    assert(outbox->rest != NULL && outbox->controls == OUTBOX_CONTROLS_MAX);
    struct batch **newest = rest_at(outbox->rest, controls_end(outbox) - 2);
    assert((*newest)->is_control);
    outbox->bytes += batch->count;
    outbox->bytes -= (*newest)->count;
    batch_drop(counters, *newest);
    *newest = batch;
    batch_hold(batch);
}

enum rc outbox_append_control(struct outbox *outbox, struct counters *counters, struct batch *batch)
{
    assert(outbox->controls <= OUTBOX_CONTROLS_MAX);
    batch->is_control = true;
    if (outbox->controls == OUTBOX_CONTROLS_MAX) {
        replace_newest_control(outbox, counters, batch);
        return RC_OK;
    }
    uint32_t index = controls_end(outbox);
    if (outbox->first != NULL) {
        enum rc rc = rest_reserve(outbox);
        if (rc != RC_OK) return rc;
    }
    if (index > 0) {
        rest_insert(outbox->rest, index - 1, batch);
    } else {
        if (outbox->first != NULL) rest_insert(outbox->rest, 0, outbox->first);
        outbox->first = batch;
    }
    batch_hold(batch);
    outbox->bytes += batch->count;
    outbox->controls++;
    return RC_OK;
}

uint32_t outbox_count(const struct outbox *outbox)
{
    return (outbox->first != NULL ? 1 : 0) + (outbox->rest != NULL ? outbox->rest->count : 0);
}

size_t outbox_copy(const struct outbox *outbox, uint8_t *to, size_t room)
{
    assert(outbox->first != NULL);
    size_t count;
    const uint8_t *from = outbox_first_bytes(outbox, &count);
    if (count > room) return 0;
    memcpy(to, from, count);
    size_t copied = count;
    for (uint32_t i = 0; outbox->rest != NULL && i < outbox->rest->count; i++) {
        const struct batch *batch = *rest_at(outbox->rest, i);
        if (batch->count > room - copied) break;
        memcpy(to + copied, batch->bytes, batch->count);
        copied += batch->count;
    }
    return copied;
}

static void drop_first(struct outbox *outbox, struct counters *counters)
{
    struct batch *gone = outbox->first;
    if (gone->is_control) outbox->controls--;
    outbox->first = rest_take_first(outbox);
    outbox->first_sent = 0;
    batch_drop(counters, gone);
}

void outbox_advance(struct outbox *outbox, struct counters *counters, uint64_t count)
{
    assert(count <= outbox->bytes);
    outbox->bytes -= count;
    while (outbox->first != NULL) {
        uint64_t left = outbox->first->count - outbox->first_sent;
        if (count < left) break;
        count -= left;
        drop_first(outbox, counters);
    }
    outbox->first_sent += (uint32_t)count;
}

void outbox_clear(struct outbox *outbox, struct counters *counters, bool keep_begun)
{
    struct batch *begun = NULL;
    uint32_t begun_sent = outbox->first_sent;
    if (keep_begun && begun_sent > 0) {
        begun = outbox->first;
        batch_hold(begun);
    }
    while (outbox->first != NULL) {
        drop_first(outbox, counters);
    }
    *outbox = (struct outbox){.marks = outbox->marks};
    if (begun == NULL) return;
    outbox->first = begun;
    outbox->first_sent = begun_sent;
    outbox->bytes = begun->count - begun_sent;
    outbox->controls = begun->is_control ? 1 : 0;
}
