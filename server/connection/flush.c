/* server/connection/flush.c - outboxes to sockets, a chunk of sends at a time. */
#include "server/connection/flush.h"

#include "core/trace.h"
#include "net/ring.h"
#include "server/connection/connection.h"
#include "server/connection/deadline.h"
#include "server/connection/flush_chunk.h"
#include "server/connection/flush_queue.h"
#include "server/connection/long_answer.h"
#include "server/connection/secure.h"
#include "server/connection/tally.h"
#include "server/shard/crowd.h"
#include "server/shard/shard.h"
#include "server/system/clock.h"

#include <assert.h>
#include <errno.h>

#define CHUNK_BYTES    (1024 * 1024) /* of large messages fewer go in one submit */
#define JOIN_BYTES_MAX (64 * 1024)   /* of one connection's joined send */
#define PREFETCH_AHEAD 8

/* ---- what is put off until no send is queued ---- */

/* Puts a connection's end off until no send is queued: a close tells others, whose outboxes must stay as they are
 * between the queueing of their sends and the submit. */
static void end_later(struct shard *shard, uint32_t slot, enum flush_end_kind kind)
{
    struct flush_chunk *chunk = shard->flush.chunk;
    assert(chunk->ends_count < CHUNK_ENDS);
    chunk->ends[chunk->ends_count++] = (struct flush_end){.slot = slot, .kind = kind};
}

static void act_on_end(struct shard *shard, const struct flush_end *end)
{
    struct connection *connection = &shard->connections[end->slot];
    if (connection_is_gone(connection)) return; /* with an end that was acted on before */
    trace_hold(&shard->trace, end->slot);
    switch (end->kind) {
    case FLUSH_TOO_SLOW:
        connection_close(shard, connection, CLOSE_SLOW_READER);
        break;
    case FLUSH_MESSAGE_LOST:
        connection_close(shard, connection, CLOSE_NO_MEMORY);
        break;
    case FLUSH_NOT_SEALED:
        connection_finish(shard, connection, CLOSE_NO_MEMORY);
        break;
    case FLUSH_IS_EMPTY:
        connection_flushed(shard, connection);
        break;
    }
    trace_let_go(&shard->trace);
}

static void act_on_ends(struct shard *shard)
{
    struct flush_chunk *chunk = shard->flush.chunk;
    assert(chunk->count == 0);
    for (uint32_t i = 0; i < chunk->ends_count; i++) {
        act_on_end(shard, &chunk->ends[i]);
    }
    chunk->ends_count = 0;
}

/* ---- after a submit ---- */

/* What waits behind the batch under way, with what it costs to remember it: a pong of two bytes is not free. Long
 * answers that it asked for do not make a reader slow, within a bound. */
static bool is_too_slow(const struct shard *shard, const struct connection *connection, const struct outbox *outbox)
{
    uint64_t first_bytes = outbox->bytes - outbox_behind_bytes(outbox), long_bytes = connection->long_bytes;
    uint64_t long_behind = connection->long_left > first_bytes ? connection->long_left - first_bytes : 0;
    if (long_bytes > long_behind) long_bytes = long_behind; /* not those of the batch under way */
    if (long_bytes > LONG_ANSWER_BYTES_MAX) long_bytes = LONG_ANSWER_BYTES_MAX;
    uint32_t count = outbox_count(outbox);
    uint64_t entries_bytes = (count > 0 ? count - 1 : 0) * (sizeof(struct batch) + sizeof(struct batch *));
    uint64_t bytes = outbox_behind_bytes(outbox) + entries_bytes;
    return bytes > shard->options->outbox_bytes_max + long_bytes;
}

static void block(struct shard *shard, struct connection *connection, struct outbox *outbox)
{
    assert(!connection_is_gone(connection) && !connection->is_awaiting);
    uint32_t slot = shard_slot(shard, connection);
    outbox->marks |= OUTBOX_BLOCKED;
    connection->is_awaiting = true;
    ring_await_writable(shard->ring, slot, connection->life);
    if (is_too_slow(shard, connection, outbox)) {
        connection_close(shard, connection, CLOSE_SLOW_READER);
    } else {
        deadline_set(shard, connection);
    }
}

/* What has gone leaves the outbox. Nobody is told or ended by this. */
static void account(struct shard *shard, const struct flush_send *send)
{
    uint32_t went = send->result > 0 ? (uint32_t)send->result : 0;
    struct outbox *outbox = &shard->outboxes[send->slot];
    struct connection *connection = &shard->connections[send->slot];
    if (send->sealed == NULL) {
        outbox_advance(outbox, &shard->counters, went);
        if (outbox->marks & OUTBOX_LONG) long_answer_went(connection, went);
        return;
    }
    if (secure_sent(shard, connection, send->sealed, send->asked, went) != RC_OK) {
        end_later(shard, send->slot, FLUSH_NOT_SEALED);
    }
}

/* Does what follows of a send once no other is queued. */
static void go_on(struct shard *shard, const struct flush_send *send)
{
    struct outbox *outbox = &shard->outboxes[send->slot];
    if (outbox->marks & OUTBOX_LONG) long_answer_settle(shard, &shard->connections[send->slot]);
    if (send->result >= 0 && (uint32_t)send->result == send->asked) {
        if (!outbox_is_empty(outbox)) { /* it takes several sends, and others have their turn between them */
            flush_later_behind(shard, send->slot);
            crowd_left(shard, outbox->bytes);
        } else if (outbox->marks & OUTBOX_WATCHED) {
            connection_flushed(shard, &shard->connections[send->slot]);
        }
        return;
    }
    counter_add(&shard->counters, COUNTER_sends_short, 1);
    struct connection *connection = &shard->connections[send->slot];
    if (connection_is_gone(connection)) return;
    if (send->result < 0 && send->result != -EAGAIN) {
        connection_finish(shard, connection, CLOSE_PEER_RESET);
    } else {
        block(shard, connection, outbox);
    }
}

static void count_sent(struct shard *shard)
{
    const struct flush_chunk *chunk = shard->flush.chunk;
    uint64_t bytes = 0, sealed_bytes = 0;
    for (uint32_t i = 0; i < chunk->count; i++) {
        uint32_t went = chunk->sends[i].result > 0 ? (uint32_t)chunk->sends[i].result : 0;
        bytes += went;
        tally_went(shard, chunk->sends[i].slot, went);
        if (chunk->sends[i].sealed != NULL) sealed_bytes += went;
    }
    counter_add(&shard->counters, COUNTER_sends, chunk->count);
    counter_add(&shard->counters, COUNTER_bytes_sent, bytes);
    counter_subtract(&shard->counters, COUNTER_outbox_bytes, bytes - sealed_bytes);
}

/* Submits the chunk's sends. First every outbox is told what has gone, then, with no send queued, what follows is done:
 * closing one connection may put something into the outbox of any other. */
static void submit_chunk(struct shard *shard)
{
    struct flush_chunk *chunk = shard->flush.chunk;
    /* Without sends of ours, the queue may still be full of what others asked for: then this makes room. */
    if (chunk->count > 0 || ring_send_room(shard->ring) == 0) {
        trace_note(&shard->trace, (struct trace_event){.kind = TRACE_SENDS, .number = chunk->count});
        uint32_t failed = ring_submit_sends(shard->ring, chunk->failures);
        shard->counters.now_us = monotonic_us(); /* of deliveries */
        for (uint32_t i = 0; i < failed; i++) {
            chunk->sends[chunk->failures[i].index].result = chunk->failures[i].result;
        }
        count_sent(shard);
        for (uint32_t i = 0; i < chunk->count; i++) {
            account(shard, &chunk->sends[i]);
        }
    }
    uint32_t count = chunk->count;
    chunk->count = 0;
    chunk->scratch_used = 0;
    chunk->bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        go_on(shard, &chunk->sends[i]);
    }
    act_on_ends(shard);
}

/* ---- before it ---- */

/* What to send now: the first batch from where it lies, or several joined. */
static const uint8_t *choose_bytes(struct flush_chunk *chunk, const struct outbox *outbox, size_t *count_r)
{
    const uint8_t *first = outbox_first_bytes(outbox, count_r);
    if (outbox->rest == NULL || *count_r >= JOIN_BYTES_MAX) return first;
    uint8_t *scratch = chunk->scratch + chunk->scratch_used;
    *count_r = outbox_copy(outbox, scratch, JOIN_BYTES_MAX);
    chunk->scratch_used += (uint32_t)*count_r;
    return scratch;
}

/* Of a secure connection: what is sealed already, or one more record. NULL: there is nothing. */
static const uint8_t *choose_sealed(struct shard *shard, uint32_t slot, struct outbox *outbox, size_t *count_r)
{
    struct flush_chunk *chunk = shard->flush.chunk;
    uint8_t *scratch = chunk->scratch + chunk->scratch_used;
    const uint8_t *sealed;
    enum rc rc = secure_next(shard, &shard->connections[slot], outbox, scratch, &sealed, count_r);
    if (rc == RC_OK) {
        if (sealed == scratch) chunk->scratch_used += (uint32_t)*count_r;
        return sealed;
    }
    if (rc == RC_ENOMEM) {
        end_later(shard, slot, FLUSH_NOT_SEALED);
    } else if (outbox->marks & OUTBOX_WATCHED) {
        end_later(shard, slot, FLUSH_IS_EMPTY);
    }
    return NULL;
}

/* Is the chunk as large as one submit should be? Then nothing more may be queued or put off in it. */
static bool is_chunk_full(const struct shard *shard)
{
    const struct flush_chunk *chunk = shard->flush.chunk;
    if (chunk->count == CHUNK_SENDS || chunk->ends_count == CHUNK_ENDS_QUEUED || chunk->bytes > CHUNK_BYTES)
        return true;
    return chunk->scratch_used > CHUNK_SCRATCH_BYTES - JOIN_BYTES_MAX || ring_send_room(shard->ring) == 0;
}

static void queue_send(struct shard *shard, uint32_t slot, struct outbox *outbox)
{
    struct flush_chunk *chunk = shard->flush.chunk;
    size_t count;
    bool is_secure = outbox->marks & OUTBOX_SECURE;
    const uint8_t *bytes =
        is_secure ? choose_sealed(shard, slot, outbox, &count) : choose_bytes(chunk, outbox, &count);
    if (bytes == NULL) return;
    /* What went whole leaves no word, so a send counts as whole until a failure is told. */
    chunk->sends[chunk->count] = (struct flush_send){
        .slot = slot, .asked = (uint32_t)count, .result = (int32_t)count, .sealed = is_secure ? bytes : NULL};
    ring_send(shard->ring, slot, chunk->count, bytes, count);
    chunk->bytes += count;
    chunk->count++;
}

static void flush_outbox(struct shard *shard, uint32_t slot)
{
    struct outbox *outbox = &shard->outboxes[slot];
    if (is_chunk_full(shard)) submit_chunk(shard); /* before a look at this one: it may be ended by it */
    outbox->marks &= (uint16_t)~OUTBOX_DIRTY;
    if (outbox->marks & OUTBOX_NO_MEMORY) {
        outbox->marks &= (uint16_t)~OUTBOX_NO_MEMORY;
        end_later(shard, slot, FLUSH_MESSAGE_LOST);
        return;
    }
    if (outbox_is_empty(outbox) && !(outbox->marks & OUTBOX_SECURE)) return;
    if (!(outbox->marks & OUTBOX_BLOCKED)) {
        queue_send(shard, slot, outbox);
    } else if (is_too_slow(shard, &shard->connections[slot], outbox)) {
        end_later(shard, slot, FLUSH_TOO_SLOW);
    }
}

static void flush_dirty(struct shard *shard)
{
    while (shard->flush.dirty.count > 0) {
        /* Flushing makes others dirty, to whom a close is told. They come next round. */
        struct slot_list round = shard->flush.dirty;
        shard->flush.dirty = shard->flush.flushing;
        for (uint32_t i = 0; i < round.count; i++) {
            if (i + PREFETCH_AHEAD < round.count) {
                __builtin_prefetch(&shard->outboxes[round.slots[i + PREFETCH_AHEAD]], 1);
            }
            flush_outbox(shard, round.slots[i]);
        }
        submit_chunk(shard);
        round.count = 0;
        shard->flush.flushing = round;
    }
}

/* The next chunk of the crowd, and no more than one submit. */
static void flush_some_of_crowd(struct shard *shard)
{
    const struct slot_queue *crowd = crowd_queue(shard);
    for (uint32_t i = 0; i < CHUNK_SENDS && crowd->count > 0 && !is_chunk_full(shard); i++) {
        if (crowd->count > PREFETCH_AHEAD) {
            __builtin_prefetch(&shard->outboxes[slot_queue_at(crowd, PREFETCH_AHEAD)], 1);
        }
        uint32_t slot = crowd_take(shard);
        if (!(shard->outboxes[slot].marks & OUTBOX_CROWD)) continue; /* it came out in front */
        shard->outboxes[slot].marks &= (uint16_t)~OUTBOX_CROWD;
        flush_outbox(shard, slot);
    }
    submit_chunk(shard);
}

void flush_outboxes(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    assert(shard->flush.chunk->count == 0 && shard->flush.chunk->ends_count == 0);
    flush_dirty(shard);
    if (shard->now_ms >= crowd_due_ms(shard)) {
        do {
            flush_some_of_crowd(shard);
        } while (crowd_queue(shard)->count > 0 && monotonic_us() - shard->woke_us < FLUSH_CROWD_US);
        flush_dirty(shard); /* what that has closed, or filled a socket of */
    }
    crowd_judge(shard);
}

void flush_unblock(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(!connection_is_gone(connection) && !connection->is_awaiting);
    struct outbox *outbox = shard_outbox(shard, connection);
    outbox->marks &= (uint16_t)~OUTBOX_BLOCKED;
    deadline_progressed(shard, connection);
    flush_later_behind(shard, shard_slot(shard, connection)); /* many may have been, and have much to say */
}
