/* bench/load/load_connection.c - one connection: bytes out, frames in. */
#include "bench/load/load.h"

#include "bench/clock.h"
#include "bench/load/pusher.h"
#include "core/span.h"

#include <errno.h>

#define CODE_SLOW_READER   1013 /* with which servers close those that read too slowly: */
#define CODE_OVER_CAPACITY 4100 /* a client of channels */

/* The number of a slot's member, as users number them. */
static uint32_t number_of(const struct load *load, uint32_t slot)
{
    return layout_number(&load->layout, load->first + slot);
}

/* ---- out ---- */

/* What is to be sent: as it is, or sealed behind what TLS has to say itself. NULL: nothing, or failed. */
static struct span *take_filling(struct load *load, struct load_connection *connection)
{
    struct span *filling = connection->filling;
    if (connection->tls == NULL) {
        connection->filling = NULL;
        return filling;
    }
    if (filling != NULL && load_tls_is_open(connection->tls)) {
        connection->filling = NULL;
        if (load_tls_seal(connection->tls, filling->bytes, filling->count) != RC_OK) {
            load_fail(load, LOAD_UNABLE, "out of memory");
        }
        span_free(&filling);
    }
    return load_tls_out(connection->tls);
}

void load_flush(struct load *load)
{
    for (uint32_t i = 0; i < load->saying.count; i++) {
        struct load_connection *connection = &load->connections[load->saying.slots[i]];
        connection->is_saying = false;
        /* What is under way comes back here when it is done; a socket that is not connected, when it is. */
        if (connection->sending != NULL || connection->stage == LOAD_CLOSED) continue;
        connection->sending = take_filling(load, connection);
        if (connection->sending == NULL) continue;
        load_ring_send(&load->ring, load->saying.slots[i], connection->sending->bytes, connection->sending->count);
    }
    load->saying.count = 0;
}

static void on_connected(struct load *load, uint32_t slot, int32_t result)
{
    if (result >= 0) {
        load_greet(load, slot);
        return;
    }
    load_fail(load, LOAD_UNABLE, "cannot connect to %s: %s (connection %u)%s", load->options->host, strerror(-result),
              number_of(load, slot),
              result == -EADDRNOTAVAIL ? ": no port is free, spread them over more addresses with --source" : "");
}

static void on_sent(struct load *load, uint32_t slot, int32_t result)
{
    struct load_connection *connection = &load->connections[slot];
    bool is_whole = result >= 0 && (uint32_t)result == connection->sending->count;
    span_free(&connection->sending);
    if (connection->stage == LOAD_CLOSED) {
        load_left(load, slot); /* was waiting for this */
        return;
    }
    bool may_fail = connection->kind == LOAD_SLOW || connection->stage == LOAD_LEAVING;
    if (!is_whole && !may_fail) {
        load_fail(load, LOAD_OFFENCE, "connection %u: sending failed: %s", number_of(load, slot),
                  result < 0 ? strerror(-result) : "the server is gone");
        return;
    }
    if (connection->filling != NULL || connection->tls != NULL) load_say_later(load, slot);
}

/* ---- frames ---- */

/* A test message: who has sent it, and is it whole? */
static bool take_message(struct load *load, uint32_t slot, const uint8_t *start, size_t count)
{
    struct stamp stamp;
    const struct load_options *options = load->options;
    uint8_t kind = load->connections[slot].kind;
    if (count < STAMP_BYTES || !stamp_read(start, &stamp) ||
        count != stamp_payload_bytes(&stamp, options->payload_bytes_min, options->payload_bytes_max)) {
        return load_fail(load, LOAD_OFFENCE, "connection %u got a message of %zu bytes that is none of ours",
                         number_of(load, slot), count);
    }
    load->delivered[kind]++;
    uint64_t late_ns = load->heard_ns - stamp.due_ns;
    if (kind != LOAD_SLOW) {
        histogram_record(&load->seconds[load->second % 2].latency, (int64_t)late_ns > 0 ? late_ns : 0);
    }
    if (options->no_verify || verifier_take(&load->verifier, load->first + slot, stamp.publisher, stamp.sequence))
        return true;
    return load_fail(load, load->verifier.is_full ? LOAD_UNABLE : LOAD_OFFENCE, "%s", load->verifier.offence);
}

static bool on_event(struct load *load, uint32_t slot, const struct reader *reader)
{
    struct text data;
    bool by_client = load->options->publish_by == LOAD_BY_CLIENT;
    if (!pusher_read_message(reader->whole, by_client ? PUSHER_CLIENT_EVENT : PUSHER_EVENT, &data)) {
        return load_pusher_event(load, slot, reader->whole);
    }
    if (!load->options->no_verify && data.count > STAMP_BYTES &&
        !filler_matches((const uint8_t *)data.at + STAMP_BYTES,
                        data.count < PAYLOAD_BYTES_MAX ? data.count - STAMP_BYTES : 0, STAMP_BYTES)) {
        return load_fail(load, LOAD_OFFENCE, "connection %u: a message's content was changed on the way",
                         number_of(load, slot));
    }
    return take_message(load, slot, (const uint8_t *)data.at, data.count);
}

/* False: the connection is at its end, or the run. */
static bool on_close(struct load *load, uint32_t slot, const struct reader *reader)
{
    struct load_connection *connection = &load->connections[slot];
    uint32_t code = reader->control_count >= 2 ? (uint32_t)(reader->control[0] << 8 | reader->control[1]) : 1005;
    int reason_bytes = reader->control_count > 2 ? reader->control_count - 2 : 0;
    if (connection->stage == LOAD_LEAVING) return true;
    if (connection->kind == LOAD_SLOW && (code == CODE_SLOW_READER || code == CODE_OVER_CAPACITY)) {
        load->slow_closed++;
        connection->stage = LOAD_CLOSED;
        return false;
    }
    return load_fail(load, LOAD_OFFENCE, "the server closed connection %u with code %u (%.*s)", number_of(load, slot),
                     code, reason_bytes, reader->control + 2);
}

/* The frames of one that leaves would come behind its close frame (RFC 6455 5.5.1). */
static bool say_pong(struct load *load, uint32_t slot, const struct reader *reader)
{
    const struct text pieces[3] = {{(const char *)reader->control, reader->control_count}};
    return load->connections[slot].stage == LOAD_LEAVING || load_say_frame(load, slot, FRAME_PONG, pieces);
}

static void on_frames(struct load *load, uint32_t slot, struct bytes *in)
{
    struct reader *reader = &load->connections[slot].reader;
    bool goes_on = true;
    while (goes_on) {
        switch (reader_next(reader, in)) {
        case READER_MORE:
            return;
        case READER_MESSAGE:
            goes_on = reader->gathers ? on_event(load, slot, reader)
                                      : take_message(load, slot, reader->stamp, reader->message_bytes);
            break;
        case READER_PING:
            goes_on = say_pong(load, slot, reader);
            break;
        case READER_CLOSE:
            goes_on = on_close(load, slot, reader);
            break;
        case READER_BAD:
            goes_on = load_fail(load, LOAD_OFFENCE, "connection %u: %s", number_of(load, slot), reader->bad);
            break;
        }
    }
}

/* ---- in ---- */

static void on_plain(struct load *load, uint32_t slot, struct bytes *in)
{
    struct load_connection *connection = &load->connections[slot];
    if (connection->kind == LOAD_API) {
        load_api_take(load, slot, in);
        return;
    }
    if (connection->stage == LOAD_SHAKING) load_handshake(load, slot, in);
    if (connection->stage > LOAD_SHAKING) on_frames(load, slot, in);
}

static void on_sealed(struct load *load, uint32_t slot, struct bytes *in)
{
    struct load_connection *connection = &load->connections[slot];
    struct bytes plain;
    enum load_tls_result result = LOAD_TLS_OK;
    while (load->status == LOAD_OK && (result = load_tls_take(connection->tls, in, &plain)) == LOAD_TLS_OK) {
        if (plain.count > 0) on_plain(load, slot, &plain);
    }
    if (result == LOAD_TLS_ENDED && connection->stage != LOAD_LEAVING && connection->stage != LOAD_CLOSED &&
        connection->kind < LOAD_SLOW) {
        load_fail(load, LOAD_OFFENCE, "the server ended the TLS of connection %u", number_of(load, slot));
    }
    if (connection->kind == LOAD_API && connection->stage == LOAD_SHAKING && load_tls_is_open(connection->tls)) {
        load_opened(load, slot);
    }
    if (connection->stage < LOAD_OPEN) load_say_later(load, slot); /* the handshake, and the request behind it */
}

/* The stream is at its end, in order or not. */
static void on_ended(struct load *load, uint32_t slot, int32_t result)
{
    struct load_connection *connection = &load->connections[slot];
    if (connection->kind == LOAD_API) {
        load_api_ended(load, slot);
    } else if (connection->stage == LOAD_LEAVING) {
        load_left(load, slot);
    } else if (connection->kind == LOAD_SLOW && connection->stage == LOAD_OPEN) {
        load->slow_closed++; /* its close frame stands behind all that was not read */
        connection->stage = LOAD_CLOSED;
    } else if (connection->stage != LOAD_CLOSED) {
        load_fail(load, LOAD_OFFENCE, "the server closed connection %u without a close frame (%s)",
                  number_of(load, slot), result < 0 ? strerror(-result) : "end of stream");
    }
}

static void on_received(struct load *load, const struct load_event *event)
{
    struct bytes in = event->bytes;
    struct load_connection *connection = &load->connections[event->slot];
    if (!event->more) connection->is_reading = false;
    if (event->result == 0 || (event->result < 0 && event->result != -ENOBUFS)) {
        on_ended(load, event->slot, event->result);
        return;
    }
    if (event->result > 0) {
        load->heard_ns = clock_ns();
        if (connection->tls == NULL) {
            on_plain(load, event->slot, &in);
        } else {
            on_sealed(load, event->slot, &in);
        }
    }
    if (!event->more) load_receive(load, event->slot);
}

void load_connection_event(struct load *load, const struct load_event *event)
{
    switch (event->kind) {
    case LOAD_CONNECTED:
        on_connected(load, event->slot, event->result);
        break;
    case LOAD_SENT:
        on_sent(load, event->slot, event->result);
        break;
    case LOAD_RECEIVED:
        on_received(load, event);
        break;
    case LOAD_SHUT:
        load_api_shut(load, event->slot);
        break;
    case LOAD_DOORBELL:
        break; /* it has woken us */
    }
    load_ring_give_back(&load->ring, event);
}
