/* server/fan_out.c - the hot loop: one batch into many outboxes.
 *
 * A run of messages is joined once for all, so that each connection has one batch to send, whatever the number of
 * messages in a turn. A connection that published some of them and does not want them back gets a batch of its own,
 * the joined one without its frames. */
#include "server/fan_out.h"

#include "core/batch.h"
#include "core/message.h"
#include "server/flush.h"
#include "server/log.h"
#include "server/shard.h"

#include <stdlib.h>

#define JOIN_BYTES_MAX 65536 /* what is larger goes out from its own memory */
#define PREFETCH_AHEAD 8     /* outboxes; far enough for a cache miss, near enough to stay */

static void everyone_lost_a_message(struct shard *shard, struct channel *channel)
{
    /* Better to be closed and know it than to miss a message and not. */
    log_error("out of memory: closing the %u connections of a channel that would miss a message", channel->count);
    for (uint32_t i = 0; i < channel->count; i++) {
        shard->outboxes[channel->slots[i]].marks |= OUTBOX_NO_MEMORY;
        flush_later(shard, channel->slots[i]);
    }
}

static bool reserve_active(struct shard *shard)
{
    if (shard->active_count < shard->active_capacity) return true;
    uint32_t capacity = shard->active_capacity > 0 ? 2 * shard->active_capacity : 16;
    struct channel **active = realloc(shard->active, capacity * sizeof(struct channel *));
    if (active == NULL) return false;
    shard->active = active;
    shard->active_capacity = capacity;
    return true;
}

void fan_out_later(struct shard *shard, struct channel *channel, struct message *message)
{
    bool is_listed = channel->arrived_count > 0 || reserve_active(shard);
    if (!is_listed || channel_arrive(channel, message) != RC_OK) {
        everyone_lost_a_message(shard, channel);
        message_drop(&shard->counters, message);
        return;
    }
    if (channel->arrived_count == 1) shard->active[shard->active_count++] = channel;
}

/* ---- one run of messages ---- */

struct run {
    struct message **messages;
    uint32_t count;
    uint32_t bytes;
};

/* As many messages from `first` on as fit together; at least one. */
static struct run next_run(const struct channel *channel, uint32_t first)
{
    struct run run = {.messages = &channel->arrived[first]};
    while (first + run.count < channel->arrived_count) {
        uint32_t more = channel->arrived[first + run.count]->frame_bytes;
        if (run.count > 0 && run.bytes + more > JOIN_BYTES_MAX) break;
        run.bytes += more;
        run.count++;
    }
    return run;
}

/* The publisher's outbox, if the message is of a connection of this shard that still is the same. */
static struct outbox *excluded_outbox(struct shard *shard, const struct message *message)
{
    const struct publisher *publisher = &message->publisher;
    if (!publisher->is_excluded || publisher->shard != shard->index) return NULL;
    if (shard->connections[publisher->slot].life != publisher->life) return NULL;
    return &shard->outboxes[publisher->slot];
}

/* The run's frames in one batch, but those of `without` (NULL: all). NULL: out of memory. */
static struct batch *join(struct shard *shard, const struct run *run, const struct outbox *without)
{
    uint32_t bytes = 0, frames = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        if (without != NULL && excluded_outbox(shard, run->messages[i]) == without) continue;
        bytes += run->messages[i]->frame_bytes;
        frames++;
    }
    uint8_t *to;
    struct batch *batch = batch_new(bytes, shard->now_ms, &to);
    if (batch == NULL) return NULL;
    batch->frames = frames;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct message *message = run->messages[i];
        if (without != NULL && excluded_outbox(shard, message) == without) continue;
        memcpy(to, message->frame, message->frame_bytes);
        to += message->frame_bytes;
    }
    return batch;
}

static struct batch *share(struct shard *shard, const struct run *run)
{
    if (run->count > 1) return join(shard, run, NULL);
    message_hold(run->messages[0], 1);
    struct batch *batch = batch_of_message(run->messages[0], shard->now_ms);
    if (batch == NULL) message_drop(&shard->counters, run->messages[0]);
    return batch;
}

/* Returns how many outboxes took it: one, or none for want of memory. */
static uint32_t give(struct shard *shard, uint32_t slot, struct batch *batch)
{
    struct outbox *outbox = &shard->outboxes[slot];
    bool is_taken = outbox_append(outbox, batch) == RC_OK;
    if (!is_taken) outbox->marks |= OUTBOX_NO_MEMORY;
    flush_later(shard, slot);
    return is_taken ? 1 : 0;
}

/* Marks those who published in the run and do not want it back; returns how many. */
static uint32_t mark_excluded(struct shard *shard, const struct run *run)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        struct outbox *outbox = excluded_outbox(shard, run->messages[i]);
        if (outbox == NULL || (outbox->marks & OUTBOX_EXCLUDED)) continue;
        outbox->marks |= OUTBOX_EXCLUDED;
        count++;
    }
    return count;
}

static void count_given(struct shard *shard, const struct batch *batch, uint64_t outboxes)
{
    counter_add(&shard->counters, COUNTER_messages_delivered, batch->frames * outboxes);
    counter_add(&shard->counters, COUNTER_outbox_bytes, batch->count * outboxes);
}

/* Gives the excluded what the others said. */
static void give_excluded(struct shard *shard, const struct channel *channel, const struct run *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        struct outbox *outbox = excluded_outbox(shard, run->messages[i]);
        if (outbox == NULL || !(outbox->marks & OUTBOX_EXCLUDED)) continue;
        outbox->marks &= (uint16_t)~OUTBOX_EXCLUDED;
        uint32_t slot = (uint32_t)(outbox - shard->outboxes);
        const struct subscription *subscription = shard->connections[slot].subscription;
        if (run->count == 1 || subscription == NULL || subscription->channel != channel) continue;
        struct batch *batch = join(shard, run, outbox);
        if (batch == NULL) {
            outbox->marks |= OUTBOX_NO_MEMORY;
            flush_later(shard, slot);
            continue;
        }
        if (batch->count > 0) count_given(shard, batch, give(shard, slot, batch));
        batch_drop(&shard->counters, batch);
    }
}

static void fan_out(struct shard *shard, struct channel *channel, const struct run *run)
{
    struct batch *batch = share(shard, run);
    if (batch == NULL) {
        everyone_lost_a_message(shard, channel);
        return;
    }
    uint32_t excluded = mark_excluded(shard, run);
    uint64_t given = 0;
    for (uint32_t i = 0; i < channel->count; i++) {
        if (i + PREFETCH_AHEAD < channel->count) {
            __builtin_prefetch(&shard->outboxes[channel->slots[i + PREFETCH_AHEAD]], 1);
        }
        uint32_t slot = channel->slots[i];
        if (shard->outboxes[slot].marks & OUTBOX_EXCLUDED) continue;
        given += give(shard, slot, batch);
    }
    count_given(shard, batch, given);
    if (excluded > 0) give_excluded(shard, channel, run);
    batch_drop(&shard->counters, batch);
}

/* ---- settling ---- */

static void settle(struct shard *shard, struct channel *channel)
{
    for (uint32_t first = 0; first < channel->arrived_count;) {
        struct run run = next_run(channel, first);
        fan_out(shard, channel, &run);
        first += run.count;
    }
    for (uint32_t i = 0; i < channel->arrived_count; i++) {
        message_drop(&shard->counters, channel->arrived[i]);
    }
    channel_forget_arrived(channel);
}

void fan_out_settle(struct shard *shard, struct channel *channel)
{
    if (channel->arrived_count == 0) return;
    settle(shard, channel);
    for (uint32_t i = 0; i < shard->active_count; i++) {
        if (shard->active[i] != channel) continue;
        shard->active[i] = shard->active[--shard->active_count];
        return;
    }
}

void fan_out_settle_all(struct shard *shard)
{
    for (uint32_t i = 0; i < shard->active_count; i++) {
        settle(shard, shard->active[i]);
    }
    shard->active_count = 0;
}
