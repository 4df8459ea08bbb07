/* core/batch.c - making and freeing of batches; joining them is the fan-out's business (server/channel/fan_out.c). */
#include "core/batch.h"

#include "core/counters.h"
#include "core/message.h"

#include <assert.h>
#include <stdlib.h>

static struct batch *batch_make(uint32_t own_bytes, uint64_t now_ms)
{
    struct batch *batch = malloc(sizeof *batch + own_bytes);
    if (batch != NULL) *batch = (struct batch){.references = 1, .made_ms = now_ms};
    return batch;
}

struct batch *batch_of_message(struct message *message, enum form form, uint64_t now_ms)
{
    assert(message_has(message, form));
    struct batch *batch = batch_make(0, now_ms);
    if (batch == NULL) return NULL;
    batch->message = message;
    batch->bytes = message_frame(message, form);
    batch->count = message->frame_bytes[form];
    batch->frames = 1;
    return batch;
}

struct batch *batch_of_static(const void *bytes, uint32_t count, uint64_t now_ms)
{
    assert(bytes != NULL && count > 0);
    struct batch *batch = batch_make(0, now_ms);
    if (batch == NULL) return NULL;
    batch->bytes = bytes;
    batch->count = count;
    return batch;
}

struct batch *batch_new(uint32_t count, uint64_t now_ms, uint8_t **bytes_r)
{
    struct batch *batch = batch_make(count, now_ms);
    if (batch == NULL) return NULL;
    *bytes_r = (uint8_t *)(batch + 1);
    batch->bytes = *bytes_r;
    batch->count = count;
    return batch;
}

/* How long it took until the last reader had it, or had gone: by now it is sent. Low bits of two threads' clocks, of
 * which the reader's may stand a turn behind. */
static void measure(struct counters *counters, const struct batch *batch)
{
    int32_t took_us = (int32_t)((uint32_t)counters->now_us - batch->published_us);
    histogram_record(&counters->histograms[HISTOGRAM_delivery], took_us > 0 ? (uint64_t)took_us : 0);
}

void batch_free(struct counters *counters, struct batch *batch)
{
    assert(batch->bytes != NULL);
    assert(batch->references == 0);
    if (batch->published_us != 0) measure(counters, batch);
    if (batch->message != NULL) message_drop(counters, batch->message);
    free(batch);
}
