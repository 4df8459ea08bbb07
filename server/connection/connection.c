/* server/connection/connection.c - the life of a connection: states, saying, closing.
 *
 * Closing is asked for anywhere, also in the middle of a fan-out or a flush, so it never frees at once: the socket is
 * given back by connection_operation_done() when the kernel holds nothing of it any more. */
#include "server/connection/connection.h"

#include "core/span.h"
#include "core/trace.h"
#include "net/frame.h"
#include "net/http.h"
#include "net/ring.h"
#include "server/connection/admission.h"
#include "server/connection/component.h"
#include "server/connection/deadline.h"
#include "server/connection/door.h"
#include "server/connection/errand.h"
#include "server/connection/flush_chunk.h"
#include "server/connection/flush_queue.h"
#include "server/connection/long_answer.h"
#include "server/connection/opening.h"
#include "server/connection/peer.h"
#include "server/connection/reading.h"
#include "server/connection/secure.h"
#include "server/connection/tally.h"
#include "server/shard/shard.h"
#include "server/system/log.h"

#include <assert.h>
#include <ck_pr.h>
#include <stdio.h>
#include <stdlib.h>

#define LINGER_MS     2000 /* for the peer to read our last words and hang up */
#define RETURN_MS_MIN 1000 /* clients of a server that stops stay away for so long, unless another one is ready */

/* The only line that assigns a state. */
static void enter(struct shard *shard, struct connection *connection, enum connection_state next)
{
    static const uint16_t arrows[CONNECTION_STATES_MAX] = {
        [CONNECTION_FREE] = 1 << CONNECTION_ARRIVING,
        [CONNECTION_ARRIVING] = 1 << CONNECTION_TLS | 1 << CONNECTION_REQUEST | 1 << CONNECTION_REAPING,
        [CONNECTION_TLS] = 1 << CONNECTION_REQUEST | 1 << CONNECTION_LINGERING | 1 << CONNECTION_REAPING,
        [CONNECTION_REQUEST] =
            1 << CONNECTION_ANSWERING | 1 << CONNECTION_JOINING | 1 << CONNECTION_LINGERING | 1 << CONNECTION_REAPING,
        [CONNECTION_ANSWERING] = 1 << CONNECTION_REQUEST | 1 << CONNECTION_LINGERING | 1 << CONNECTION_REAPING,
        [CONNECTION_JOINING] = 1 << CONNECTION_OPEN | 1 << CONNECTION_LINGERING | 1 << CONNECTION_REAPING,
        [CONNECTION_OPEN] =
            1 << CONNECTION_SETTLING | 1 << CONNECTION_CLOSING | 1 << CONNECTION_LINGERING | 1 << CONNECTION_REAPING,
        [CONNECTION_SETTLING] = 1 << CONNECTION_OPEN | 1 << CONNECTION_LINGERING | 1 << CONNECTION_REAPING,
        [CONNECTION_CLOSING] = 1 << CONNECTION_LINGERING | 1 << CONNECTION_REAPING,
        [CONNECTION_LINGERING] = 1 << CONNECTION_REAPING,
        [CONNECTION_REAPING] = 1 << CONNECTION_FREE,
    };
    assert(owner_is_me(&shard->owner));
    assert(arrows[connection->state] & 1 << next);
    log_debug("connection %u.%u: %s -> %s", shard_slot(shard, connection), connection->life,
              connection_state_name(connection->state), connection_state_name(next));
    trace_note(&shard->trace, (struct trace_event){.kind = TRACE_ENTERS,
                                                   .what = (uint8_t)next,
                                                   .slot = shard_slot(shard, connection),
                                                   .number = connection->life});
    connection->state = next;
}

/* ---- beginning ---- */

void connection_accepted(struct shard *shard, uint32_t slot, bool is_secure)
{
    assert(owner_is_me(&shard->owner));
    struct connection *connection = &shard->connections[slot];
    uint32_t life = (connection->life + 1) & OP_LIFE_MASK;
    assert(connection->state == CONNECTION_FREE);
    *connection = (struct connection){.life = life, .heard_ms = shard->now_ms, .is_secure = is_secure};
    /* The slot's last connection may have left it in a list of dirty outboxes, or of those who wait to ask. */
    uint16_t kept_marks = shard->outboxes[slot].marks & (OUTBOX_DIRTY | OUTBOX_CROWD | OUTBOX_ASKER);
    shard->outboxes[slot] = (struct outbox){.marks = kept_marks};
    if (is_secure) shard->outboxes[slot].marks |= OUTBOX_SECURE;
    enter(shard, connection, CONNECTION_ARRIVING);
    if (slot >= shard->slots_used) shard->slots_used = slot + 1;
    tally_begin(shard, slot);
    ck_pr_inc_64(&shard->door->connections_open);
    counter_add(&shard->counters, COUNTER_connections_accepted, 1);
    counter_add(&shard->counters, COUNTER_connections_open, 1);
}

void connection_arrived(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state == CONNECTION_ARRIVING);
    enter(shard, connection, connection->is_secure ? CONNECTION_TLS : CONNECTION_REQUEST);
    reading_go_on(shard, connection);
    deadline_of_request(shard, connection);
    if (!connection->is_secure) return;
    connection->handshake_ms = shard->now_ms + shard->options->handshake_ms_max;
    connection->accepted_us = shard->woke_us;
}

void connection_secured(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state == CONNECTION_TLS && connection->is_secure);
    enter(shard, connection, CONNECTION_REQUEST);
    connection->pinged_ms = 0;
    deadline_of_request(shard, connection);
}

static void free_reader(struct connection *connection)
{
    if (connection->http == NULL) return;
    http_reader_fini(connection->http);
    free(connection->http);
    connection->http = NULL;
}

void connection_ask(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state == CONNECTION_REQUEST);
    enter(shard, connection, CONNECTION_ANSWERING);
    timer_set(&shard->timers, &connection->timer, shard->now_ms + shard->options->handshake_ms_max);
}

void connection_answered(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state == CONNECTION_REQUEST || connection->state == CONNECTION_ANSWERING ||
           connection_is_gone(connection));
    if (connection_is_gone(connection)) return; /* the answer could not be queued */
    bool has_waited = connection->state == CONNECTION_ANSWERING;
    http_reader_reset(connection->http);
    connection->is_judged = false;
    deadline_between_requests(shard, connection);
    if (!has_waited) return;
    enter(shard, connection, CONNECTION_REQUEST);
    connection->is_choked = false;
}

void connection_join(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state == CONNECTION_REQUEST && connection->http != NULL);
    enter(shard, connection, CONNECTION_JOINING);
}

void connection_open(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state == CONNECTION_JOINING && connection->http != NULL);
    shard_outbox(shard, connection)->marks |= OUTBOX_WATCHED;
    connection_say(shard, connection, opening_answer(shard, connection));
    free_reader(connection);
    if (connection_is_gone(connection)) return;
    enter(shard, connection, CONNECTION_OPEN);
    connection->pinged_ms = 0; /* it was moved_ms */
    frame_reader_init(&connection->reader, (uint32_t)shard->options->message_bytes_max);
    counter_add(&shard->counters, COUNTER_handshakes_done, 1);
    deadline_set(shard, connection);
}

/* ---- saying ---- */

typedef enum rc append_fn(struct outbox *outbox, struct counters *counters, struct batch *batch);

static enum rc append_message(struct outbox *outbox, struct counters *counters, struct batch *batch)
{
    (void)counters;
    return outbox_append(outbox, batch);
}

static void say(struct shard *shard, struct connection *connection, struct batch *batch, append_fn *append)
{
    assert(connection->state != CONNECTION_FREE);
    struct outbox *outbox = shard_outbox(shard, connection);
    enum rc rc = RC_ENOMEM;
    bool is_long = batch != NULL && batch->count > FLUSH_LONG_BYTES;
    assert(!flush_is_queueing(shard));
    if (batch != NULL) {
        uint64_t before = outbox->bytes;
        rc = append(outbox, &shard->counters, batch);
        counter_add(&shard->counters, COUNTER_outbox_bytes, outbox->bytes - before);
        bool is_ahead = append == outbox_append_control; /* or in another's place, and shorter */
        if (is_ahead) long_answer_behind(shard, connection, (int64_t)(outbox->bytes - before));
        batch_drop(&shard->counters, batch);
    }
    if (rc != RC_OK) {
        connection_finish(shard, connection, CLOSE_NO_MEMORY);
    } else if (is_long) {
        flush_later_behind(shard, shard_slot(shard, connection));
    } else {
        flush_later(shard, shard_slot(shard, connection));
    }
}

void connection_say(struct shard *shard, struct connection *connection, struct batch *batch)
{
    assert(owner_is_me(&shard->owner));
    say(shard, connection, batch, append_message);
}

void connection_say_long(struct shard *shard, struct connection *connection, struct batch *batch)
{
    assert(owner_is_me(&shard->owner));
    uint32_t bytes = batch != NULL ? batch->count : 0;
    connection_say(shard, connection, batch);
    long_answer_said(shard, connection, bytes);
}

void connection_say_control(struct shard *shard, struct connection *connection, struct batch *batch)
{
    assert(owner_is_me(&shard->owner));
    /* RFC 6455 4.2.2: no frame before the answer to the handshake, which waits in the outbox when a ping came right
     * behind the request. */
    say(shard, connection, batch, connection->has_answered ? outbox_append_control : append_message);
}

void connection_say_frame(struct shard *shard, struct connection *connection, enum frame_opcode opcode,
                          const uint8_t *payload, size_t count)
{
    assert(owner_is_me(&shard->owner));
    uint8_t header[FRAME_HEADER_BYTES_MAX], *to;
    size_t header_bytes = frame_header_write(header, opcode, count);
    struct batch *batch = batch_new((uint32_t)(header_bytes + count), shard->now_ms, &to);
    if (batch != NULL) {
        memcpy(to, header, header_bytes);
        if (count > 0) memcpy(to + header_bytes, payload, count);
    }
    if (opcode == FRAME_CLOSE) {
        connection_say(shard, connection, batch);
    } else {
        connection_say_control(shard, connection, batch);
    }
}

/* Is there anything that has not gone to the socket? */
static bool has_unsaid(struct shard *shard, const struct connection *connection)
{
    return !outbox_is_empty(shard_outbox(shard, connection)) || connection_has_unsent(connection);
}

static void clear_outbox(struct shard *shard, struct connection *connection, bool keep_begun)
{
    struct outbox *outbox = shard_outbox(shard, connection);
    uint64_t before = outbox->bytes;
    outbox_clear(outbox, &shard->counters, keep_begun);
    counter_subtract(&shard->counters, COUNTER_outbox_bytes, before - outbox->bytes);
    if (outbox->marks & OUTBOX_LONG) long_answer_cleared(shard, connection);
}

/* ---- ending ---- */

/* Tells the component and forgets what an open connection has; the socket stays. */
static void leave(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    trace_note(&shard->trace, (struct trace_event){.kind = TRACE_ENDS,
                                                   .what = (uint8_t)reason,
                                                   .slot = shard_slot(shard, connection),
                                                   .number = connection->life});
    if (connection->reason == CLOSE_NONE) connection->reason = reason;
    const struct component *component = connection->component;
    tally_leave(shard, connection);
    if (component != NULL) {
        connection->component = NULL;
        if (close_reason_is_error(reason)) component->on_error(shard, connection, reason);
        component->on_close(shard, connection, reason);
    }
    assert(connection->subscriptions == NULL);
    if (connection->errand != NULL) connection->errand->kind->abandoned(shard, connection);
    span_free(&connection->message);
    span_free(&connection->held);
    long_answer_came(shard, connection);
    reading_unchoke(shard, connection); /* what it would have asked for is gone; its close frame is of interest */
}

/* After how many ms a client is to come back: at random, so that those who are closed together do not come together. 0:
 * when it likes. */
static uint32_t retry_after_ms(const struct shard *shard, enum close_reason reason)
{
    if (reason != CLOSE_SERVER_STOP && reason != CLOSE_SERVER_MOVED) return 0;
    uint32_t least_ms = reason == CLOSE_SERVER_STOP ? RETURN_MS_MIN : 1;
    return least_ms + arc4random_uniform(shard->returns_ms + 1);
}

/* A NULL text: the peer's own close frame is answered. */
static void say_close_frame(struct shard *shard, struct connection *connection, uint16_t code, const char *text,
                            uint32_t after_ms)
{
    uint8_t payload[FRAME_CONTROL_BYTES_MAX];
    char told[FRAME_CONTROL_BYTES_MAX];
    if (after_ms > 0) snprintf(told, sizeof told, "%s, retry_after_ms=%u", text, after_ms);
    size_t count = frame_close_write(payload, code, after_ms > 0 ? told : text);
    shard_outbox(shard, connection)->marks |= OUTBOX_WATCHED;
    connection_say_frame(shard, connection, FRAME_CLOSE, payload, count);
}

/* Everything is said: over TLS that is told too, then it ends as its state has it. */
static void say_end(struct shard *shard, struct connection *connection)
{
    shard_outbox(shard, connection)->marks |= OUTBOX_WATCHED;
    connection_flushed(shard, connection);
}

/* Is this a fault behind which the peer's frames are not read on? Where they begin is unknown, or it is not worth
 * looking. */
static bool is_fault_of_frames(enum close_reason reason)
{
    return reason == CLOSE_BAD_FRAME || reason == CLOSE_BAD_TEXT || reason == CLOSE_TOO_BIG;
}

static bool is_ending(const struct connection *connection)
{
    return connection->state == CONNECTION_SETTLING || connection->state == CONNECTION_CLOSING ||
           connection->state == CONNECTION_LINGERING;
}

void connection_close(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    assert(owner_is_me(&shard->owner));
    assert(reason != CLOSE_NONE);
    if (connection->state != CONNECTION_OPEN || close_reason_code(reason) == 0) {
        /* A second reason does not hurry an end that is under way, but for those who do not take our last words. */
        if (!is_ending(connection) || reason == CLOSE_SLOW_READER || reason == CLOSE_NO_MEMORY) {
            connection_finish(shard, connection, reason);
        }
        return;
    }
    if (reason == CLOSE_SLOW_READER || reason == CLOSE_STALE_READER) clear_outbox(shard, connection, true);
    uint16_t code = connection->component->close_code(reason);
    uint32_t after_ms = retry_after_ms(shard, reason);
    if (connection->component->on_goodbye != NULL)
        connection->component->on_goodbye(shard, connection, reason, after_ms);
    if (connection->state != CONNECTION_OPEN) return; /* there was no memory for last words */
    /* Bytes held and thrown away leave a gap: where the peer's next frame begins is unknown then. */
    bool is_lost = is_fault_of_frames(reason) || connection->held != NULL;
    leave(shard, connection, reason);
    if (connection->state != CONNECTION_OPEN) return; /* leaving ran out of memory */
    enter(shard, connection, is_lost ? CONNECTION_LINGERING : CONNECTION_CLOSING);
    timer_set(&shard->timers, &connection->timer, shard->now_ms + shard->options->close_ms_max);
    say_close_frame(shard, connection, code, close_reason_text(reason), after_ms);
}

static void end_as_heard(struct shard *shard, struct connection *connection, enum close_reason reason, uint16_t code)
{
    connection->has_peer_closed = reason == CLOSE_PEER_CLOSED;
    if (reason != CLOSE_PEER_CLOSED) {
        connection_close(shard, connection, reason);
    } else if (connection->state == CONNECTION_OPEN) {
        leave(shard, connection, CLOSE_PEER_CLOSED);
        enter(shard, connection, CONNECTION_CLOSING);
        timer_set(&shard->timers, &connection->timer, shard->now_ms + shard->options->close_ms_max);
        say_close_frame(shard, connection, code, NULL, 0);
    } else if (!has_unsaid(shard, connection)) {
        say_end(shard, connection);
    }
}

void connection_last_heard(struct shard *shard, struct connection *connection, enum close_reason reason,
                           uint16_t code)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state == CONNECTION_OPEN || connection->state == CONNECTION_CLOSING);
    if (connection->state != CONNECTION_OPEN) {
        end_as_heard(shard, connection, reason, code);
        return;
    }
    enter(shard, connection, CONNECTION_SETTLING);
    connection->reason = reason;
    connection->peer_code = code;
    timer_set(&shard->timers, &connection->timer, shard->now_ms + shard->options->close_ms_max);
    if (!connection->component->has_unanswered(shard, connection)) connection_settled(shard, connection);
}

void connection_settled(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection->state != CONNECTION_SETTLING) return;
    enter(shard, connection, CONNECTION_OPEN); /* for no longer than it takes to end */
    end_as_heard(shard, connection, connection->reason, connection->peer_code);
}

void connection_linger(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    assert(owner_is_me(&shard->owner));
    if (connection_is_gone(connection)) return; /* the answer could not be queued */
    leave(shard, connection, reason);
    enter(shard, connection, CONNECTION_LINGERING);
    shard_outbox(shard, connection)->marks |= OUTBOX_WATCHED;
    if (connection_is_blocked(shard, connection)) {
        deadline_of_reader(shard, connection);
    } else {
        timer_set(&shard->timers, &connection->timer, shard->now_ms + shard->options->close_ms_max);
    }
    reading_unchoke(shard, connection); /* what comes is thrown away: unread, it would be a reset of our answer */
}

void connection_break(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    assert(owner_is_me(&shard->owner));
    if (is_ending(connection)) {
        connection_finish(shard, connection, reason);
        return;
    }
    clear_outbox(shard, connection, false);
    connection_linger(shard, connection, reason);
    if (!has_unsaid(shard, connection)) connection_flushed(shard, connection);
}

void connection_flushed(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection->state == CONNECTION_OPEN || connection->state == CONNECTION_SETTLING) {
        connection->has_answered = true;
        shard_outbox(shard, connection)->marks &= (uint16_t)~OUTBOX_WATCHED;
        return;
    }
    if (connection->state == CONNECTION_REQUEST) {
        shard_outbox(shard, connection)->marks &= (uint16_t)~OUTBOX_WATCHED;
        deadline_between_requests(shard, connection);
        reading_later(shard, connection);
        return;
    }
    bool is_answered_later = connection->state == CONNECTION_ANSWERING || connection->state == CONNECTION_JOINING;
    if (is_answered_later) return; /* what has gone is the answer before */
    bool is_over = connection->has_ended || connection->has_peer_closed || connection->state == CONNECTION_LINGERING;
    if (is_over && secure_say_end(shard, connection)) return; /* comes back when that has gone too */
    if (connection->has_ended || connection->has_peer_closed) {
        connection_finish(shard, connection, connection->reason);
    } else if (connection->state == CONNECTION_LINGERING) {
        shard_outbox(shard, connection)->marks &= (uint16_t)~OUTBOX_WATCHED;
        connection->is_shutting = true;
        ring_shutdown(shard->ring, shard_slot(shard, connection), connection->life);
        timer_set(&shard->timers, &connection->timer, shard->now_ms + LINGER_MS);
    }
}

void connection_ended(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    connection->has_ended = true;
    bool has_words = connection->held != NULL && connection->state != CONNECTION_ARRIVING;
    if (has_words) return; /* its last ones; taking them in comes back here */
    /* The peer may only have closed its half: an answer, also to its close frame, still goes out. */
    bool has_answer = has_unsaid(shard, connection);
    bool is_answered_later = connection->state == CONNECTION_ANSWERING || connection->state == CONNECTION_JOINING ||
                             connection->state == CONNECTION_SETTLING;
    if (is_answered_later) return; /* receive_answered(), receive_opened() come back here, or it still reads */
    bool may_linger = connection->state == CONNECTION_REQUEST || connection->state == CONNECTION_OPEN;
    if (has_answer && may_linger) {
        connection_linger(shard, connection, CLOSE_PEER_GONE);
    } else if (!has_answer && may_linger && connection->tls != NULL) {
        connection_linger(shard, connection, CLOSE_PEER_GONE);
        say_end(shard, connection); /* TLS ends in both directions */
    } else if (!(has_answer && is_ending(connection))) {
        connection_finish(shard, connection, CLOSE_PEER_GONE);
    }
}

void connection_finish(struct shard *shard, struct connection *connection, enum close_reason reason)
{
    assert(owner_is_me(&shard->owner));
    if (connection_is_gone(connection)) return;
    uint32_t slot = shard_slot(shard, connection);
    enter(shard, connection, CONNECTION_REAPING); /* first: leaving may come back here */
    leave(shard, connection, reason);
    timer_clear(&shard->timers, &connection->timer);
    free_reader(connection);
    span_free(&connection->control);
    clear_outbox(shard, connection, false);
    secure_free(connection);
    if (connection->is_receiving) ring_cancel_receive(shard->ring, slot, connection->life);
    if (connection->is_awaiting) ring_cancel_writable(shard->ring, slot, connection->life);
    connection_operation_done(shard, connection);
}

void connection_operation_done(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection->state != CONNECTION_REAPING) return;
    if (connection->is_receiving || connection->is_awaiting || connection->is_shutting) return;
    if (peer_is_asked(shard, connection)) return;
    /* Lists of slots still name it; they look at its state. */
    if (connection->is_starved || connection->is_paused || connection->is_shaking) return;
    ring_close(shard->ring, shard_slot(shard, connection));
    admission_end(shard, connection);
    enter(shard, connection, CONNECTION_FREE);
    ck_pr_dec_64(&shard->door->connections_open);
    counter_subtract(&shard->counters, COUNTER_connections_open, 1);
    counter_add(&shard->counters, counter_of_close(connection->reason), 1);
    tally_end(shard, connection);
    log_debug("connection %u.%u ended: %s", shard_slot(shard, connection), connection->life,
              close_reason_text(connection->reason));
}
