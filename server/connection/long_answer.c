/* server/connection/long_answer.c - one long answer for a connection, and so many bytes of them for a shard.
 *
 * Not obvious: how long an answer will be is known when it comes, so a question under way counts as the longest that
 * came lately. */
#include "server/connection/long_answer.h"

#include "core/span.h"
#include "net/frame.h"
#include "server/connection/component.h"
#include "server/connection/connection_state.h"
#include "server/connection/reading.h"
#include "server/shard/shard.h"

#include <assert.h>

#define MASK_BIT   0x80
#define MASK_BYTES 4
#define DECAY      16 /* each answer that is shorter takes a sixteenth off what the next is thought to be */

/* ---- questions that wait ---- */

static bool has_answer(const struct connection *connection)
{
    return connection->is_asking || connection->long_bytes > LONG_ANSWER_FREE_BYTES;
}

/* Is there room for one more answer on the shard? One is always let through when there is no other. */
static bool has_room(const struct shard *shard)
{
    uint64_t expected = ((uint64_t)shard->answers.asked + 1) * shard->answers.bytes;
    uint64_t waiting = counter_get(&shard->counters, COUNTER_answers_bytes);
    if (waiting == 0 && shard->answers.asked == 0) return true;
    return waiting + expected <= shard->options->answers_bytes_max;
}

/* The message becomes a frame again, in front of what is held; a key of zeros masks nothing (RFC 6455 5.3). */
static enum rc put_back(struct connection *connection, const struct payload *payload)
{
    uint8_t header[FRAME_HEADER_BYTES_MAX + MASK_BYTES] = {0};
    size_t count = frame_header_write(header, payload->opcode, payload->count);
    header[1] |= MASK_BIT;
    assert(connection->held == NULL);
    enum rc rc = span_append(&connection->held, header, (uint32_t)count + MASK_BYTES);
    return rc == RC_OK ? span_append(&connection->held, payload->bytes, payload->count) : rc;
}

/* Has the connection read on in the next turn: now may be in the middle of something that its words would disturb.
 * False: it does not wait, or for another reason. */
static bool go_on(struct shard *shard, struct connection *connection)
{
    if (connection->state != CONNECTION_OPEN || !connection->is_choked || has_answer(connection)) return false;
    connection->is_choked = false;
    reading_later(shard, connection);
    return true;
}

/* Each slot stands in the queue once, so that there is room: who finds its last connection there takes its place. */
static void wait_for_others(struct shard *shard, struct connection *connection)
{
    struct outbox *outbox = shard_outbox(shard, connection);
    if (outbox->marks & OUTBOX_ASKER) return;
    outbox->marks |= OUTBOX_ASKER;
    slot_queue_add(&shard->answers.askers, shard_slot(shard, connection));
}

enum rc long_answer_may_ask(struct shard *shard, struct connection *connection, const struct payload *payload)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state == CONNECTION_OPEN);
    bool waits_for_others = !has_answer(connection) && !has_room(shard);
    if (!has_answer(connection) && !waits_for_others) return RC_OK;
    if (put_back(connection, payload) != RC_OK) return RC_ENOMEM;
    counter_add(&shard->counters, COUNTER_questions_put_off, 1);
    reading_choke(shard, connection);
    if (waits_for_others) wait_for_others(shard, connection);
    return RC_PENDING;
}

void long_answers_go_on(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    struct slot_queue *askers = &shard->answers.askers;
    uint64_t expected = shard->answers.bytes > 0 ? shard->answers.bytes : 1;
    uint64_t used = counter_get(&shard->counters, COUNTER_answers_bytes) + shard->answers.asked * expected;
    while (askers->count > 0 && (used == 0 || used + expected <= shard->options->answers_bytes_max)) {
        uint32_t slot = slot_queue_take(askers);
        shard->outboxes[slot].marks &= (uint16_t)~OUTBOX_ASKER;
        if (go_on(shard, &shard->connections[slot])) used += expected; /* who has gone meanwhile needs no room */
    }
}

/* ---- under way ---- */

void long_answer_asked(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(!connection->is_asking);
    connection->is_asking = true;
    shard->answers.asked++;
}

void long_answer_came(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (!connection->is_asking) return;
    assert(shard->answers.asked > 0);
    connection->is_asking = false;
    shard->answers.asked--;
    go_on(shard, connection);
}

/* ---- in the outbox ---- */

void long_answer_said(struct shard *shard, struct connection *connection, uint32_t bytes)
{
    assert(owner_is_me(&shard->owner));
    struct outbox *outbox = shard_outbox(shard, connection);
    if (bytes == 0 || outbox_is_empty(outbox)) return; /* there was no memory, and the connection has ended */
    uint64_t lately = shard->answers.bytes - shard->answers.bytes / DECAY;
    shard->answers.bytes = bytes > lately ? bytes : lately;
    counter_add(&shard->counters, COUNTER_answers_bytes, bytes);
    connection->long_bytes += bytes;
    connection->long_left = outbox->bytes < UINT32_MAX ? (uint32_t)outbox->bytes : UINT32_MAX;
    if (connection->unsent_ms == 0) connection->unsent_ms = shard->now_ms;
    outbox->marks |= OUTBOX_LONG;
}

void long_answer_behind(struct shard *shard, struct connection *connection, int64_t bytes)
{
    assert(owner_is_me(&shard->owner));
    if (!(shard_outbox(shard, connection)->marks & OUTBOX_LONG)) return;
    int64_t left = connection->long_left + bytes;
    connection->long_left = left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}

static void forget(struct shard *shard, struct connection *connection)
{
    assert(counter_get(&shard->counters, COUNTER_answers_bytes) >= connection->long_bytes);
    counter_subtract(&shard->counters, COUNTER_answers_bytes, connection->long_bytes);
    connection->long_bytes = 0;
    connection->long_left = 0;
    if (!connection_has_unsent(connection)) connection->unsent_ms = 0;
    shard_outbox(shard, connection)->marks &= (uint16_t)~OUTBOX_LONG;
}

void long_answer_cleared(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(shard_outbox(shard, connection)->marks & OUTBOX_LONG);
    uint64_t left = shard_outbox(shard, connection)->bytes;
    if (left == 0) {
        forget(shard, connection);
    } else if (left < connection->long_left) {
        connection->long_left = (uint32_t)left;
    }
}

void long_answer_went(struct connection *connection, uint64_t bytes)
{
    connection->long_left -= bytes < connection->long_left ? (uint32_t)bytes : connection->long_left;
}

void long_answer_settle(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(shard_outbox(shard, connection)->marks & OUTBOX_LONG);
    if (connection->long_left > 0) return;
    forget(shard, connection);
    go_on(shard, connection);
}
