/* server/connection/receive.c - the state machine's steps over received bytes.
 *
 * Bytes lie in a buffer lent for this turn. A message that lies whole in it goes to its component from there; one
 * that does not is gathered. A connection that must not be read (it waits for its channel's home, or the mailboxes
 * are full) has its bytes held until it may. */
#include "server/connection/receive.h"

#include "core/span.h"
#include "core/trace.h"
#include "net/frame.h"
#include "net/ring.h"
#include "server/connection/arrival.h"
#include "server/connection/component.h"
#include "server/connection/connection.h"
#include "server/connection/door.h"
#include "server/connection/flush.h"
#include "server/connection/reading.h"
#include "server/connection/secure.h"
#include "server/connection/secure_handshake.h"
#include "server/connection/tally.h"
#include "server/shard/shard.h"
#include "server/system/clock.h"

#include <assert.h>
#include <errno.h>

#define ANSWERS_BYTES_MAX (64 * 1024) /* of answers wait when another request is taken */
#define HANDSHAKES_US_MAX 2000        /* in a turn, the last one not cut short */

enum step {
    STEP_MORE, /* go on: there may be more to eat */
    STEP_WAIT, /* all is eaten, or held, or of no interest */
};

/* Do answers wait for the client to read them? Then no further request is taken. */
static bool has_unread_answers(struct shard *shard, const struct connection *connection)
{
    return shard_outbox(shard, connection)->bytes > ANSWERS_BYTES_MAX || connection_is_blocked(shard, connection);
}

static bool must_hold(struct shard *shard, const struct connection *connection)
{
    if (connection->state == CONNECTION_REQUEST) return has_unread_answers(shard, connection);
    return connection->state == CONNECTION_JOINING || connection->state == CONNECTION_ANSWERING ||
           (connection->state == CONNECTION_OPEN && !connection_is_read(connection));
}

/* ---- frames ---- */

static void take_control(struct shard *shard, struct connection *connection, enum frame_opcode opcode,
                         const uint8_t *payload, size_t count)
{
    uint16_t code;
    enum close_reason reason;
    switch (opcode) {
    case FRAME_PING:
        if (connection->state == CONNECTION_OPEN) {
            connection_say_frame(shard, connection, FRAME_PONG, payload, count);
        }
        break;
    case FRAME_CLOSE:
        reason = frame_close_read(payload, count, &code);
        connection_last_heard(shard, connection, reason, count == 0 ? 0 : code);
        break;
    default: /* a pong, asked for or not (RFC 6455 5.5.3): that it came is all it says */
        break;
    }
}

/* Adds a piece to those that came before; the whole once it is there, the caller's to free, else NULL. */
static struct span *gather(struct shard *shard, struct connection *connection, struct span **span,
                           const struct frame_event *event)
{
    if (span_append(span, event->payload.at, (uint32_t)event->payload.count) != RC_OK) {
        connection_close(shard, connection, CLOSE_NO_MEMORY);
        return NULL;
    }
    if (!event->is_last) return NULL;
    struct span *whole = *span;
    *span = NULL; /* taking it may end the connection */
    return whole;
}

static void receive_control(struct shard *shard, struct connection *connection, const struct frame_event *event)
{
    const struct bytes *piece = &event->payload;
    if (event->is_first && event->is_last) {
        take_control(shard, connection, event->opcode, piece->at, piece->count);
        return;
    }
    struct span *whole = gather(shard, connection, &connection->control, event);
    if (whole == NULL) return;
    take_control(shard, connection, event->opcode, whole->bytes, whole->count);
    span_free(&whole);
}

static void take_message(struct shard *shard, struct connection *connection, enum frame_opcode opcode,
                         const uint8_t *bytes, size_t count)
{
    assert(connection->state == CONNECTION_OPEN && connection->component != NULL);
    struct payload payload = {.opcode = opcode, .bytes = bytes, .count = (uint32_t)count};
    counter_add(&shard->counters, COUNTER_messages_received, 1);
    connection->component->on_message(shard, connection, &payload);
}

static void receive_data(struct shard *shard, struct connection *connection, const struct frame_event *event)
{
    const struct bytes *piece = &event->payload;
    if (connection->state != CONNECTION_OPEN) return; /* only the peer's close frame is of interest */
    if (event->is_first && event->is_last) {
        take_message(shard, connection, event->opcode, piece->at, piece->count);
        return;
    }
    struct span *whole = gather(shard, connection, &connection->message, event);
    if (whole == NULL) return;
    take_message(shard, connection, event->opcode, whole->bytes, whole->count);
    span_free(&whole);
}

static enum step receive_frame(struct shard *shard, struct connection *connection, struct bytes *in)
{
    struct frame_event event;
    if (must_hold(shard, connection)) return STEP_WAIT;
    switch (frame_reader_next(&connection->reader, in, &event)) {
    case FRAME_EVENT_MORE:
        return STEP_WAIT;
    case FRAME_EVENT_DATA:
        if (event.is_last) counter_add(&shard->counters, COUNTER_frames_received, 1);
        receive_data(shard, connection, &event);
        break;
    case FRAME_EVENT_CONTROL:
        if (event.is_last) counter_add(&shard->counters, COUNTER_frames_received, 1);
        receive_control(shard, connection, &event);
        break;
    case FRAME_EVENT_BAD:
        connection_last_heard(shard, connection, event.reason, 0);
        return STEP_WAIT;
    }
    return STEP_MORE;
}

/* ---- states ---- */

static void receive(struct shard *shard, struct connection *connection, struct bytes *in)
{
    enum step step = STEP_MORE;
    while (step == STEP_MORE) {
        switch (connection->state) {
        case CONNECTION_REQUEST:
            if (must_hold(shard, connection)) return;
            step = shard->door->serve(shard, connection, in) ? STEP_MORE : STEP_WAIT;
            break;
        case CONNECTION_OPEN:
            step = receive_frame(shard, connection, in);
            break;
        case CONNECTION_CLOSING: /* nothing comes behind the peer's close frame */
            step = connection->has_peer_closed ? STEP_WAIT : receive_frame(shard, connection, in);
            break;
        case CONNECTION_ARRIVING:
        case CONNECTION_TLS:
        case CONNECTION_ANSWERING:
        case CONNECTION_JOINING:
        case CONNECTION_SETTLING:
        case CONNECTION_LINGERING:
        case CONNECTION_REAPING:
        case CONNECTION_FREE:
            step = STEP_WAIT;
            break;
        case CONNECTION_STATES_MAX:
            __builtin_unreachable();
        }
    }
}

/* Waiting for the home takes a few turns, and what a paused one still gets is on its way to a cancelled receive: more
 * than this comes only from one who does not wait for our answer (RFC 6455 4.1). Whether that is refused depends on
 * which is first: what comes behind the 101 is as good as any. */
static bool is_held_too_much(const struct shard *shard, const struct connection *connection)
{
    return connection->held->count > shard->options->head_bytes_max;
}

static void refuse_early_words(struct shard *shard, struct connection *connection)
{
    shard->door->refuse(shard, connection, NULL, 400,
                        "Too much came behind the request for a WebSocket (--head-bytes-max): wait for its answer.");
}

static void hold(struct shard *shard, struct connection *connection, const struct bytes *in)
{
    if (span_append(&connection->held, in->at, (uint32_t)in->count) != RC_OK) {
        connection_close(shard, connection, CLOSE_NO_MEMORY);
    } else if (connection->state == CONNECTION_REQUEST) { /* one who does not wait, and may not read */
        shard_outbox(shard, connection)->marks |= OUTBOX_WATCHED;
        reading_choke(shard, connection);
    } else if (is_held_too_much(shard, connection) && connection->state == CONNECTION_JOINING) {
        refuse_early_words(shard, connection);
    } else if (is_held_too_much(shard, connection) && connection->state == CONNECTION_ANSWERING) {
        reading_choke(shard, connection);
    }
}

/* Takes plain bytes in, and holds what may not be read now. */
static void receive_plain(struct shard *shard, struct connection *connection, struct bytes *in)
{
    if (connection->held == NULL) {
        connection->is_taken_in = true;
        receive(shard, connection, in);
        connection->is_taken_in = false;
    }
    /* What is put off is gone on with in its turn, and what comes meanwhile stands behind it. */
    bool may_be_put_off = connection->state == CONNECTION_REQUEST || connection->state == CONNECTION_OPEN;
    bool is_put_off = may_be_put_off && connection->held != NULL;
    if (in->count > 0 && (is_put_off || must_hold(shard, connection))) hold(shard, connection, in);
}

static void receive_held(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    struct span *held = connection->held;
    if (held == NULL) return;
    connection->held = NULL;
    struct bytes in = bytes_of(held->bytes, held->count);
    receive_plain(shard, connection, &in);
    span_free(&held);
    if (connection->has_ended && connection->held == NULL) connection_ended(shard, connection);
}

/* ---- going on ---- */

/* Has the peer's end come, which had to wait for the answer? Not while what came before it is being taken in. */
static bool is_over(const struct connection *connection)
{
    return connection->has_ended && !connection->is_taken_in;
}

void receive_answered(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    bool has_waited = connection->state == CONNECTION_ANSWERING;
    connection_answered(shard, connection);
    if (!has_waited) return;
    receive_held(shard, connection);
    if (connection_is_gone(connection)) return;
    if (is_over(connection)) {
        connection_ended(shard, connection);
    } else {
        reading_go_on(shard, connection);
    }
}

void receive_opened(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    connection_open(shard, connection);
    if (connection->state != CONNECTION_OPEN) return; /* there was no memory for the answer */
    receive_held(shard, connection);
    if (connection->state != CONNECTION_OPEN) return;
    if (is_over(connection)) connection_ended(shard, connection);
    if (shard->is_stopping) connection_close(shard, connection, shard_drain_reason(shard));
}

void receive_go_on(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    if (connection_is_gone(connection)) return;
    receive_held(shard, connection);
    reading_go_on(shard, connection); /* what was held may have stopped it again, or ended it */
}

void receive_resumed(struct shard *shard, struct connection *connection)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->is_paused);
    connection->is_paused = false;
    connection_operation_done(shard, connection);
    receive_go_on(shard, connection);
}

/* ---- TLS ---- */

static bool is_reading(const struct connection *connection)
{
    return connection->state != CONNECTION_REAPING && connection->state != CONNECTION_FREE && connection->tls != NULL;
}

/* The session is over, or has failed: what is left of its bytes in `in` was not understood. */
static void end_secure(struct shard *shard, struct connection *connection, enum tls_result result, struct bytes *in)
{
    switch (result) {
    case TLS_CLOSED:
        connection_ended(shard, connection);
        break;
    case TLS_NOT_TLS:
        secure_free(connection);
        shard_outbox(shard, connection)->marks &= (uint16_t)~OUTBOX_SECURE;
        connection->reason = CLOSE_NOT_TLS;
        shard->door->refuse(shard, connection, in, 400, "This address speaks TLS: connect with https:// or wss://");
        break;
    case TLS_NO_MEMORY:
        connection_finish(shard, connection, CLOSE_NO_MEMORY);
        break;
    case TLS_ALERTED:
        connection_finish(shard, connection, CLOSE_TLS_ALERT);
        break;
    default:
        connection->is_tls_ended = true; /* with the alert */
        connection_break(shard, connection, CLOSE_TLS_BROKEN);
        break;
    }
}

static void open_records(struct shard *shard, struct connection *connection, struct bytes *in)
{
    struct bytes plain;
    enum tls_result result = TLS_OK;
    while (result == TLS_OK && in->count > 0 && is_reading(connection)) {
        result = secure_open(shard, connection, in, &plain);
        if (result == TLS_OK) receive_plain(shard, connection, &plain);
    }
    if (result != TLS_OK && result != TLS_MORE) end_secure(shard, connection, result, in);
}

static void receive_secure(struct shard *shard, struct connection *connection, struct bytes *in)
{
    if (connection->state == CONNECTION_TLS) {
        secure_queue_handshake(shard, connection, in);
    } else if (connection->tls != NULL && !connection->is_tls_ended) {
        open_records(shard, connection, in);
    }
}

static void shake(struct shard *shard, struct connection *connection)
{
    struct span *held = connection->held;
    connection->held = NULL;
    if (held == NULL) return;
    struct bytes in = bytes_of(held->bytes, held->count);
    enum tls_result result = secure_shake(shard, connection, &in);
    if (result == TLS_OK) {
        connection_secured(shard, connection);
        reading_unchoke(shard, connection); /* before: what it says may stop it again, for other reasons */
        open_records(shard, connection, &in);
    } else if (result != TLS_MORE) {
        end_secure(shard, connection, result, &in);
    }
    span_free(&held);
    if (connection->state == CONNECTION_TLS) secure_await_handshake(shard, connection);
    /* The client's end may have come with its last flight, whatever state that has led to. */
    if (connection->has_ended && !connection_is_gone(connection)) connection_ended(shard, connection);
}

/* Goes on with a handshake that has waited for its turn. Is anything computed for it? */
static bool take_turn(struct shard *shard, struct connection *connection)
{
    assert(connection->is_shaking && connection->is_secure);
    connection->is_shaking = false;
    if (connection->state != CONNECTION_TLS) {
        connection_operation_done(shard, connection); /* it ended while it waited */
    } else if (connection->tls == NULL && connection->has_ended) {
        connection_finish(shard, connection, CLOSE_PEER_GONE); /* it cannot shake hands any more */
    } else {
        shake(shard, connection);
        return true;
    }
    return false;
}

/* Takes from the queue until so many are computed, or time is up. */
static void run_queue(struct shard *shard, struct slot_queue *queue, uint32_t most, uint64_t until_us)
{
    uint32_t done = 0;
    while (queue->count > 0 && done < most && shard->tls.shaken_us < until_us) {
        uint32_t slot = slot_queue_take(queue);
        trace_note(&shard->trace, (struct trace_event){.kind = TRACE_HANDSHAKE, .slot = slot});
        trace_hold(&shard->trace, slot);
        if (take_turn(shard, &shard->connections[slot])) done++;
    }
    trace_let_go(&shard->trace);
}

void receive_run_handshakes(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    if (shard->tls.shaking.count + shard->tls.hellos.count == 0) return;
    shard->tls.shaken_us = monotonic_us();
    uint64_t until_us = shard->tls.shaken_us + HANDSHAKES_US_MAX;
    run_queue(shard, &shard->tls.shaking, UINT32_MAX, until_us);
    run_queue(shard, &shard->tls.hellos, shard->options->tls_handshakes, until_us);
    uint32_t left = shard->tls.shaking.count + shard->tls.hellos.count;
    if (left > 0) counter_add(&shard->counters, COUNTER_tls_handshakes_put_off, left);
}

/* ---- completions ---- */

static void starve(struct shard *shard, struct connection *connection)
{
    counter_add(&shard->counters, COUNTER_receives_starved, 1);
    reading_later(shard, connection);
}

void receive_retry_starved(struct shard *shard)
{
    assert(owner_is_me(&shard->owner));
    for (uint32_t i = 0; i < shard->receive.starved.count; i++) {
        struct connection *connection = &shard->connections[shard->receive.starved.slots[i]];
        connection->is_starved = false;
        if (connection->state == CONNECTION_REAPING) {
            connection_operation_done(shard, connection);
        } else if (connection->state == CONNECTION_REQUEST) {
            connection->is_choked = false;
            receive_go_on(shard, connection);
        } else if (connection->state == CONNECTION_OPEN) {
            if (connection_is_read(connection)) receive_go_on(shard, connection);
        } else if (!connection->is_receiving && connection_is_read(connection)) {
            reading_start(shard, connection);
        }
    }
    shard->receive.starved.count = 0;
}

/* The receive has ended: why, and does another begin? */
static void receive_stopped(struct shard *shard, struct connection *connection, int32_t result)
{
    assert(connection->is_receiving && connection->state != CONNECTION_FREE);
    connection->is_receiving = false;
    if (connection->state == CONNECTION_REAPING) {
        connection_operation_done(shard, connection);
    } else if (result == 0) {
        connection_ended(shard, connection);
    } else if (result == -ENOBUFS) {
        starve(shard, connection);
    } else if (result < 0 && result != -ECANCELED) {
        connection_finish(shard, connection, CLOSE_PEER_RESET);
    } else if (connection_is_read(connection)) {
        reading_start(shard, connection); /* the kernel ended it for a reason of its own, or we resumed meanwhile */
    }
}

/* The first sign of life since our ping; where that lay behind much else, nobody knows any more when it went. */
static void note_answer(struct shard *shard, const struct connection *connection)
{
    if (connection->is_judged) return;
    histogram_record(&shard->counters.histograms[HISTOGRAM_ping], 1000 * (shard->now_ms - connection->pinged_ms));
}

static void receive_bytes(struct shard *shard, struct connection *connection, struct bytes *in)
{
    if (connection->state == CONNECTION_ARRIVING) arrival_receive(shard, connection, in);
    if (connection->state == CONNECTION_ARRIVING || in->count == 0) return;
    if (connection->is_secure) {
        receive_secure(shard, connection, in);
    } else {
        receive_plain(shard, connection, in);
    }
}

void receive_completed(struct shard *shard, struct connection *connection, struct completion *completion)
{
    assert(owner_is_me(&shard->owner));
    assert(connection->state != CONNECTION_FREE && connection->is_receiving);
    if (completion->result > 0) {
        if (connection->state == CONNECTION_OPEN && connection_is_pinged(connection)) note_answer(shard, connection);
        connection->heard_ms = shard->now_ms;
        counter_add(&shard->counters, COUNTER_bytes_received, (uint64_t)completion->result);
        tally_came(shard, shard_slot(shard, connection), (uint32_t)completion->result);
        receive_bytes(shard, connection, &completion->bytes);
    }
    if (completion->has_buffer) ring_give_back(shard->ring, completion->buffer);
    if (!completion->more) receive_stopped(shard, connection, completion->result);
}
