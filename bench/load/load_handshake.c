/* bench/load/load_handshake.c - from a connected socket to an open connection: request, answer,
 * and what Pusher adds. */
#include "bench/load/load.h"

#include "bench/load/load_threads.h"
#include "bench/load/pusher.h"
#include "core/span.h"

#define HEAD_BYTES_MAX 8192

/* Fixed, as the answer then is known (RFC 6455 1.3): a load tool's handshakes need not be hard to guess. */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static bool say_path(struct load *load, uint32_t slot)
{
    const char *path = load->options->path;
    char room[16];
    uint32_t number = layout_room_number(&load->layout, layout_room(&load->layout, load->first + slot));
    int room_bytes = snprintf(room, sizeof room, "%u", number);
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
    load_say_later(load, slot);
    return true;
}

static bool say_request(struct load *load, uint32_t slot)
{
    char head[512];
    int count = snprintf(head, sizeof head,
                         " HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n\r\n",
                         load->options->host);
    return load_say(load, slot, "GET ", 4) && say_path(load, slot) && load_say(load, slot, head, (size_t)count);
}

void load_greet(struct load *load, uint32_t slot)
{
    struct load_connection *connection = &load->connections[slot];
    connection->stage = LOAD_SHAKING;
    if (connection->kind != LOAD_API && !say_request(load, slot)) return;
    if (load->tls != NULL && !begin_tls(load, slot)) return;
    if (connection->kind == LOAD_API && load->tls == NULL) load_opened(load, slot);
    load_receive(load, slot);
}

bool load_opened(struct load *load, uint32_t slot)
{
    struct load_connection *connection = &load->connections[slot];
    connection->stage = LOAD_OPEN;
    load->open++;
    if (connection->kind == LOAD_API) load_say_later(load, slot); /* a request may wait already */
    if (connection->kind != LOAD_GUEST || load->run->begun_ns == 0) return true;
    load->rejoined++;
    /* Who publishes for its room: this thread, or the first one. */
    uint64_t sent = load->sent_total;
    if (load_options_spans(load->options)) {
        sent = atomic_load_explicit(&load->run->loads[0].told.sent, memory_order_acquire);
    }
    if (!load->options->no_verify) verifier_join(&load->verifier, load->first + slot, sent);
    return true;
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
    return load_fail(load, LOAD_UNABLE, "the server refuses connection %u: %.*s",
                     layout_number(&load->layout, load->first + slot), line_bytes, head->bytes);
}

/* The answer, cut anywhere; frames may follow it in the same bytes. */
void load_handshake(struct load *load, uint32_t slot, struct bytes *in)
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
    reader_init(&connection->reader, !load->options->no_verify, load->options->is_pusher);
    if (load->options->is_pusher) {
        connection->stage = LOAD_GREETED;
    } else {
        load_opened(load, slot);
    }
}
