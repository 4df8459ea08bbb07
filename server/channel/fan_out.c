/* server/channel/fan_out.c - the hot loop: one batch into many outboxes.
 *
 * A run of messages is joined once for all, so that each connection has one batch to send, whatever the number of
 * messages in a turn. A connection that published some of them and does not want them back gets a batch of its own,
 * the joined one without its frames. */
#include "server/channel/fan_out.h"

#include "core/batch.h"
#include "core/message.h"
#include "core/trace.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/connection/flush_chunk.h"
#include "server/connection/flush_queue.h"
#include "server/shard/crowd.h"
#include "server/shard/follow.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <stdlib.h>

#define JOIN_BYTES_MAX 65536 /* what is larger goes out from its own memory */
#define PREFETCH_AHEAD 8     /* outboxes; far enough for a cache miss, near enough to stay */

static void everyone_lost_a_message(struct shard *shard, struct channel *channel)
{
    /* Better to be closed and know it than to miss a message and not. */
    log_error("out of memory: closing the %u connections of a channel that would miss a message",
              channel_count(channel));
    for (enum form form = 0; form < FORMS_MAX; form++) {
        const struct audience *audience = &channel->audiences[form];
        for (uint32_t i = 0; i < audience->count; i++) {
            shard->outboxes[audience->slots[i]].marks |= OUTBOX_NO_MEMORY;
            flush_later(shard, audience->slots[i]);
        }
    }
}

static bool reserve_active(struct shard *shard)
{
    assert(shard->channel.active_count <= shard->channel.active_capacity);
    if (shard->channel.active_count < shard->channel.active_capacity) return true;
    uint32_t capacity = shard->channel.active_capacity > 0 ? 2 * shard->channel.active_capacity : 16;
    struct channel **active = realloc(shard->channel.active, capacity * sizeof(struct channel *));
    if (active == NULL) return false;
    shard->channel.active = active;
    shard->channel.active_capacity = capacity;
    return true;
}

void fan_out_later(struct shard *shard, struct channel *channel, struct message *message)
{
    assert(owner_is_me(&shard->owner));
    bool is_listed = channel->arrived_count > 0 || reserve_active(shard);
    if (!is_listed || channel_arrive(channel, message) != RC_OK) {
        everyone_lost_a_message(shard, channel);
        message_drop(&shard->counters, message);
        return;
    }
    if (channel->arrived_count == 1) shard->channel.active[shard->channel.active_count++] = channel;
}

/* ---- one run of messages ---- */

/* Messages that go out together in one form; those that do not have it are passed over. */
struct run {
    struct message **messages;
    enum form form;
    uint32_t count;  /* of messages, with those passed over */
    uint32_t frames; /* of messages that have the form */
    uint32_t bytes;
};

/* Takes as many messages from `first` on as fit together; at least one. */
static struct run next_run(const struct channel *channel, enum form form, uint32_t first)
{
    assert(first < channel->arrived_count);
    struct run run = {.messages = &channel->arrived[first], .form = form};
    while (first + run.count < channel->arrived_count) {
        uint32_t more = channel->arrived[first + run.count]->frame_bytes[form];
        if (run.bytes > 0 && run.bytes + more > JOIN_BYTES_MAX) break;
        run.bytes += more;
        run.frames += more > 0;
        run.count++;
    }
    return run;
}

/* Does it have the socket id with this word of chance? */
static bool is_named(const struct connection *connection, uint32_t random)
{
    const struct component *component = connection->component;
    return component != NULL && component->is_named != NULL && component->is_named(connection, random);
}

/* The publisher's outbox, if the message is of a connection of this shard that still is the same. */
static struct outbox *excluded_outbox(struct shard *shard, const struct message *message)
{
    const struct publisher *publisher = &message->publisher;
    if (!publisher->is_excluded || publisher->shard != shard->index) return NULL;
    if (publisher->slot >= shard->slots_used) return NULL; /* a backend may name any socket */
    const struct connection *connection = &shard->connections[publisher->slot];
    if (connection->life != publisher->life) return NULL;
    bool is_guess = publisher->random != 0;
    if (is_guess && !is_named(connection, publisher->random)) return NULL;
    return &shard->outboxes[publisher->slot];
}

/* Does the message belong into a batch of this run for everyone but `without` (NULL: for everyone)? */
static bool counts_for(struct shard *shard, const struct run *run, const struct message *message,
                       const struct outbox *without)
{
    return message_has(message, run->form) && (without == NULL || excluded_outbox(shard, message) != without);
}

/* The run's frames in one batch, but those of `without` (NULL: all). NULL: out of memory. */
static struct batch *join(struct shard *shard, const struct run *run, const struct outbox *without)
{
    uint32_t bytes = 0, frames = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        if (!counts_for(shard, run, run->messages[i], without)) continue;
        bytes += run->messages[i]->frame_bytes[run->form];
        frames++;
    }
    uint8_t *to;
    struct batch *batch = batch_new(bytes, shard->now_ms, &to);
    if (batch == NULL) return NULL;
    batch->frames = frames & INT32_MAX;
    batch->published_us = frames > 0 ? run->messages[0]->made_us : 0;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct message *message = run->messages[i];
        if (!counts_for(shard, run, message, without)) continue;
        to = message_put_frame(message, run->form, to);
    }
    return batch;
}

static struct batch *share(struct shard *shard, const struct run *run)
{
    assert(run->frames > 0);
    if (run->frames > 1) return join(shard, run, NULL);
    struct message **only = run->messages;
    while (!message_has(*only, run->form)) {
        only++;
    }
    message_hold(*only, 1);
    struct batch *batch = batch_of_message(*only, run->form, shard->now_ms);
    if (batch == NULL) message_drop(&shard->counters, *only);
    if (batch != NULL) batch->published_us = (*only)->made_us;
    return batch;
}

/* Puts the batch into the slot's outbox. Returns how many outboxes took it: one, or none for want of memory. */
static uint32_t give(struct shard *shard, uint32_t slot, struct batch *batch, bool is_crowd)
{
    struct outbox *outbox = &shard->outboxes[slot];
    bool is_taken = outbox_append(outbox, batch) == RC_OK;
    if (!is_taken) outbox->marks |= OUTBOX_NO_MEMORY;
    if (is_crowd) {
        flush_later_in_crowd(shard, slot);
    } else {
        flush_later(shard, slot);
    }
    return is_taken ? 1 : 0;
}

/* Marks those who published in the run and do not want it back; returns how many. */
static uint32_t mark_excluded(struct shard *shard, const struct run *run)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        struct outbox *outbox = excluded_outbox(shard, run->messages[i]);
        if (outbox == NULL || (outbox->marks & OUTBOX_EXCLUDED) || !message_has(run->messages[i], run->form))
            continue;
        outbox->marks |= OUTBOX_EXCLUDED;
        count++;
    }
    return count;
}

static void count_given(struct shard *shard, struct batch *batch, uint64_t outboxes)
{
    if (outboxes == 0) batch->published_us = 0; /* nobody's delivery is measured */
    counter_add(&shard->counters, COUNTER_messages_delivered, batch->frames * outboxes);
    counter_add(&shard->counters, COUNTER_outbox_bytes, batch->count * outboxes);
}

/* Gives the excluded what the others said. Only those who were passed over in the audience read here at all. */
static void give_excluded(struct shard *shard, const struct run *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        struct outbox *outbox = excluded_outbox(shard, run->messages[i]);
        if (outbox == NULL || !(outbox->marks & OUTBOX_EXCLUDED)) continue;
        bool is_reader = outbox->marks & OUTBOX_PASSED_OVER;
        outbox->marks &= (uint16_t) ~(OUTBOX_EXCLUDED | OUTBOX_PASSED_OVER);
        if (run->frames == 1 || !is_reader) continue;
        uint32_t slot = (uint32_t)(outbox - shard->outboxes);
        struct batch *batch = join(shard, run, outbox);
        if (batch == NULL) {
            outbox->marks |= OUTBOX_NO_MEMORY;
            flush_later(shard, slot);
            continue;
        }
        if (batch->count > 0) count_given(shard, batch, give(shard, slot, batch, false));
        batch_drop(&shard->counters, batch);
    }
}

/* For an operator who follows the channel. */
static void follow_sent(struct shard *shard, const struct audience *audience, const struct run *run, uint64_t given)
{
    uint32_t slow = 0;
    for (uint32_t i = 0; i < audience->count; i++)
        if (shard->outboxes[audience->slots[i]].marks & OUTBOX_BLOCKED) slow++;
    follow_tell(shard,
                "\"step\":\"sent\",\"messages\":%u,\"to\":%llu,\"of\":%u,\"as\":\"%s\",\"who_read_slowly\":%u%s",
                run->frames, (unsigned long long)given, audience->count,
                run->form == FORM_RAW ? "messages of a room" : "events", slow,
                given < audience->count ? ",\"because\":\"who published it gets no echo\"" : "");
}

static void fan_out(struct shard *shard, struct channel *channel, const struct run *run)
{
    assert(run->frames > 0 && run->count > 0);
    const struct audience *audience = &channel->audiences[run->form];
    assert(!flush_is_queueing(shard));
    struct batch *batch = share(shard, run);
    if (batch == NULL) {
        everyone_lost_a_message(shard, channel);
        return;
    }
    if (run->form == FORM_WATCH) channel->watch_told += run->frames;
    uint32_t excluded = mark_excluded(shard, run);
    uint64_t given = 0;
    bool is_crowd = shard->options->coalesce_ms > 0 || crowd_is_one(audience->count, run->bytes);
    for (uint32_t i = 0; i < audience->count; i++) {
        if (i + PREFETCH_AHEAD < audience->count) {
            __builtin_prefetch(&shard->outboxes[audience->slots[i + PREFETCH_AHEAD]], 1);
        }
        uint32_t slot = audience->slots[i];
        if (shard->outboxes[slot].marks & OUTBOX_EXCLUDED) {
            shard->outboxes[slot].marks |= OUTBOX_PASSED_OVER;
            continue;
        }
        given += give(shard, slot, batch, is_crowd);
    }
    count_given(shard, batch, given);
    if (follow_is_on(shard, &channel->name)) follow_sent(shard, audience, run, given);
    if (excluded > 0) give_excluded(shard, run);
    batch_drop(&shard->counters, batch);
}

/* ---- settling ---- */

static void settle(struct shard *shard, struct channel *channel)
{
    for (enum form form = 0; form < FORMS_MAX; form++) {
        if (channel->audiences[form].count == 0) continue;
        for (uint32_t first = 0; first < channel->arrived_count;) {
            struct run run = next_run(channel, form, first);
            if (run.frames > 0) fan_out(shard, channel, &run);
            first += run.count;
        }
    }
    for (uint32_t i = 0; i < channel->arrived_count; i++) {
        message_drop(&shard->counters, channel->arrived[i]);
    }
    channel_forget_arrived(channel);
}

void fan_out_settle(struct shard *shard, struct channel *channel)
{
    assert(owner_is_me(&shard->owner));
    if (channel->arrived_count == 0) return;
    settle(shard, channel);
    for (uint32_t i = 0; i < shard->channel.active_count; i++) {
        if (shard->channel.active[i] != channel) continue;
        shard->channel.active[i] = shard->channel.active[--shard->channel.active_count];
        return;
    }
}

void fan_out_settle_all(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    if (shard->channel.active_count == 0) return;
    trace_note(&shard->trace, (struct trace_event){.kind = TRACE_FANS_OUT, .number = shard->channel.active_count});
    for (uint32_t i = 0; i < shard->channel.active_count; i++) {
        struct channel *channel = shard->channel.active[i];
        settle(shard, channel);
        shard_drop_channel_if_unused(shard, channel); /* its last reader may have left with messages still to come */
    }
    shard->channel.active_count = 0;
}
