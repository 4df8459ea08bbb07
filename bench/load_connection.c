/* bench/load_connection.c - one connection: handshake, frames in, bytes out. */
#include "bench/load.h"

#include "bench/clock.h"
#include "core/span.h"

#include <errno.h>

#define HEAD_BYTES_MAX 8192

/* Fixed, as the answer then is known (RFC 6455 1.3): a load tool's handshakes need not be hard to guess. */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void say_later(struct load *load, uint32_t slot)
{
    struct load_connection *connection = &load->connections[slot];
    if (!connection->is_saying) slot_list_add(&load->saying, slot);
    connection->is_saying = true;
}

bool load_say(struct load *load, uint32_t slot, const void *bytes, size_t count)
{
    if (span_append(&load->connections[slot].filling, bytes, (uint32_t)count) != RC_OK) {
        return load_fail(load, LOAD_UNABLE, "out of memory");
    }
    say_later(load, slot);
    return true;
}

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
        if (connection->sending != NULL) continue; /* its completion comes back here */
        connection->sending = take_filling(load, connection);
        if (connection->sending == NULL) continue;
        load_ring_send(&load->ring, load->saying.slots[i], connection->sending->bytes, connection->sending->count);
    }
    load->saying.count = 0;
}

static void on_sent(struct load *load, uint32_t slot, int32_t result)
{
    struct load_connection *connection = &load->connections[slot];
    if (result < 0 || (uint32_t)result != connection->sending->count) {
        load_fail(load, LOAD_OFFENCE, "connection %u: sending failed: %s", slot,
                  result < 0 ? strerror(-result) : "the server is gone");
        return;
    }
    span_free(&connection->sending);
    if (connection->filling != NULL || connection->tls != NULL) say_later(load, slot);
}

/* ---- handshake ---- */

static bool say_path(struct load *load, uint32_t slot)
{
    const char *path = load->options->path;
    char room[16];
    int room_bytes = snprintf(room, sizeof room, "%u", layout_room(&load->layout, slot));
    for (const char *found; (found = strstr(path, LOAD_ROOM)) != NULL; path = found + strlen(LOAD_ROOM)) {
        if (!load_say(load, slot, path, (size_t)(found - path)) || !load_say(load, slot, room, (size_t)room_bytes)) {
            return false;
        }
    }
    return load_say(load, slot, path, strlen(path));
}

/* The request waits until the handshake is done. */
static bool begin_tls(struct load *load, uint32_t slot)
{
    struct bytes nothing = {0}, plain;
    struct load_connection *connection = &load->connections[slot];
    connection->tls = load_tls_new(load->tls);
    if (connection->tls == NULL) return load_fail(load, LOAD_UNABLE, "out of memory");
    load_tls_take(connection->tls, &nothing, &plain);
    say_later(load, slot);
    return true;
}

static void on_connected(struct load *load, uint32_t slot, int32_t result)
{
    char head[512];
    if (result < 0) {
        load_fail(load, LOAD_UNABLE, "cannot connect to %s: %s (connection %u)%s", load->options->host,
                  strerror(-result), slot,
                  result == -EADDRNOTAVAIL ? ": no port is free, spread them over more addresses with --source" : "");
        return;
    }
    int count = snprintf(head, sizeof head,
                         " HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n",
                         load->options->host);
    if (!load_say(load, slot, "GET ", 4) || !say_path(load, slot) || !load_say(load, slot, head, (size_t)count))
        return;
    if (load->tls != NULL && !begin_tls(load, slot)) return;
    load_ring_receive(&load->ring, slot);
}

/* Where the answer's head ends in what has come; NULL: not yet. */
static const uint8_t *head_end(const struct span *head)
{
    const uint8_t *end = memmem(head->bytes, head->count, "\r\n\r\n", 4);
    return end != NULL ? end + 4 : NULL;
}

static bool check_head(struct load *load, uint32_t slot, const struct span *head)
{
    static const char status[] = "HTTP/1.1 101";
    bool is_accepted = head->count >= strlen(status) && memcmp(head->bytes, status, strlen(status)) == 0 &&
                       memmem(head->bytes, head->count, ACCEPT, strlen(ACCEPT)) != NULL;
    if (is_accepted) return true;
    int line_bytes = 0;
    while ((uint32_t)line_bytes < head->count && line_bytes < 100 && head->bytes[line_bytes] >= ' ') {
        line_bytes++;
    }
    return load_fail(load, LOAD_UNABLE, "the server refuses connection %u: %.*s", slot, line_bytes, head->bytes);
}

/* The answer, cut anywhere; frames may follow it in the same bytes. */
static void on_answer(struct load *load, uint32_t slot, struct bytes *in)
{
    struct load_connection *connection = &load->connections[slot];
    uint32_t before = connection->head != NULL ? connection->head->count : 0;
    if (span_append(&connection->head, in->at, (uint32_t)in->count) != RC_OK) {
        load_fail(load, LOAD_UNABLE, "out of memory");
        return;
    }
    const uint8_t *end = head_end(connection->head);
    if (end == NULL) {
        bytes_take(in, in->count);
        if (connection->head->count > HEAD_BYTES_MAX) check_head(load, slot, connection->head);
        return;
    }
    if (!check_head(load, slot, connection->head)) return;
    bytes_take(in, (size_t)(end - connection->head->bytes) - before);
    span_free(&connection->head);
    reader_init(&connection->reader, !load->options->no_verify);
    connection->is_open = true;
    load->open++;
}

/* ---- frames ---- */

static bool on_message(struct load *load, uint32_t slot, const struct reader *reader)
{
    struct stamp stamp;
    if (!stamp_read(reader->stamp, &stamp) || reader->message_bytes != load->options->payload_bytes) {
        return load_fail(load, LOAD_OFFENCE, "connection %u got a message of %u bytes that is none of ours", slot,
                         reader->message_bytes);
    }
    load->delivered++;
    uint64_t late_ns = load->heard_ns - stamp.due_ns;
    histogram_record(&load->latency, (int64_t)late_ns > 0 ? late_ns : 0);
    if (load->options->no_verify || verifier_take(&load->verifier, slot, stamp.publisher, stamp.sequence))
        return true;
    return load_fail(load, LOAD_OFFENCE, "%s", load->verifier.offence);
}

static bool on_close(struct load *load, uint32_t slot, const struct reader *reader)
{
    uint32_t code = reader->control_count >= 2 ? (uint32_t)(reader->control[0] << 8 | reader->control[1]) : 1005;
    int reason_bytes = reader->control_count > 2 ? reader->control_count - 2 : 0;
    return load_fail(load, LOAD_OFFENCE, "the server closed connection %u with code %u (%.*s)", slot, code,
                     reason_bytes, reader->control + 2);
}

static bool say_pong(struct load *load, uint32_t slot, const struct reader *reader)
{
    /* A mask of zeros leaves the payload as it is. */
    uint8_t header[6] = {0x80 | FRAME_PONG, (uint8_t)(0x80 | reader->control_count)};
    return load_say(load, slot, header, sizeof header) &&
           load_say(load, slot, reader->control, reader->control_count);
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
            goes_on = on_message(load, slot, reader);
            break;
        case READER_PING:
            goes_on = say_pong(load, slot, reader);
            break;
        case READER_CLOSE:
            goes_on = on_close(load, slot, reader);
            break;
        case READER_BAD:
            goes_on = load_fail(load, LOAD_OFFENCE, "connection %u: %s", slot, reader->bad);
            break;
        }
    }
}

static void on_plain(struct load *load, uint32_t slot, struct bytes *in)
{
    if (!load->connections[slot].is_open) on_answer(load, slot, in);
    if (load->connections[slot].is_open) on_frames(load, slot, in);
}

static void on_sealed(struct load *load, uint32_t slot, struct bytes *in)
{
    struct load_connection *connection = &load->connections[slot];
    struct bytes plain;
    enum load_tls_result result = LOAD_TLS_OK;
    while (load->status == LOAD_OK && (result = load_tls_take(connection->tls, in, &plain)) == LOAD_TLS_OK) {
        if (plain.count > 0) on_plain(load, slot, &plain);
    }
    if (result == LOAD_TLS_ENDED) load_fail(load, LOAD_OFFENCE, "the server ended the TLS of connection %u", slot);
    if (!connection->is_open) say_later(load, slot); /* the handshake, and the request behind it */
}

static void on_received(struct load *load, const struct load_event *event)
{
    struct bytes in = event->bytes;
    if (event->result == 0 || (event->result < 0 && event->result != -ENOBUFS)) {
        load_fail(load, LOAD_OFFENCE, "the server closed connection %u without a close frame (%s)", event->slot,
                  event->result < 0 ? strerror(-event->result) : "end of stream");
        return;
    }
    if (event->result > 0) {
        load->heard_ns = clock_ns();
        if (load->connections[event->slot].tls == NULL) {
            on_plain(load, event->slot, &in);
        } else {
            on_sealed(load, event->slot, &in);
        }
    }
    if (!event->more) load_ring_receive(&load->ring, event->slot);
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
    }
    load_ring_give_back(&load->ring, event);
}
