/* tests/support/tls_peer.c - the other end of a session's records. */
#include "tests/support/tls_peer.h"

#include "net/tls/aead.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 128 * 1024 };

static enum rc collect(void *owner, const uint8_t *bytes, size_t count)
{
    struct tls_peer *peer = owner;
    if (peer->output_rc != RC_OK) return peer->output_rc;
    if (peer->from_count + count > ROOM) abort();
    memcpy(peer->from + peer->from_count, bytes, count);
    peer->from_count += count;
    return RC_OK;
}

static void set_keys(struct tls_direction *direction, enum aead_kind kind, bool is_13, const char *secret)
{
    uint8_t bytes[TLS_SECRET_BYTES_MAX] = {0};
    memcpy(bytes, secret, strlen(secret));
    if (is_13) {
        if (tls_keys_of_secret(direction, kind, bytes) != RC_OK) abort();
        return;
    }
    memcpy(direction->key, bytes, sizeof direction->key);
    memcpy(direction->iv, bytes + sizeof direction->key, sizeof direction->iv);
    direction->sequence = 1; /* behind its Finished */
}

void tls_peer_open(struct tls_peer *peer, bool is_13, enum aead_kind kind)
{
    static const char *const secrets[] = {"what the client says is sealed with this secret",
                                          "what the server says is sealed with another one"};
    *peer = (struct tls_peer){.sessions = tls_sessions_new(), .to = malloc(ROOM), .from = malloc(ROOM)};
    if (peer->sessions == NULL || peer->to == NULL || peer->from == NULL) abort();
    struct tls *tls = peer->tls = slab_take(&peer->sessions->slab);
    tls->sessions = peer->sessions;
    tls->output = collect;
    tls->owner = peer;
    tls->is_open = true;
    tls->out_max = TLS_RECORD_BYTES_MAX;
    tls->records.kind = kind;
    tls->records.is_13 = is_13;
    set_keys(&tls->records.in, kind, is_13, secrets[0]);
    set_keys(&tls->records.out, kind, is_13, secrets[1]);
    peer->records = tls->records;
    peer->records.in = tls->records.out;
    peer->records.out = tls->records.in;
}

void tls_peer_close(struct tls_peer *peer)
{
    tls_free(peer->tls);
    tls_sessions_free(peer->sessions);
    free(peer->to);
    free(peer->from);
    peer->tls = NULL;
}

/* ---- to the session ---- */

void tls_peer_put(struct tls_peer *peer, const uint8_t *bytes, size_t count)
{
    if (peer->to_count + count > ROOM) abort();
    memcpy(peer->to + peer->to_count, bytes, count);
    peer->to_count += count;
}

void tls_peer_say(struct tls_peer *peer, enum tls_content content, const uint8_t *bytes, size_t count)
{
    if (peer->to_count + count + 64 > ROOM) abort();
    peer->to_count +=
        tls_record_seal(&peer->records, peer->sessions->aead, content, bytes, count, peer->to + peer->to_count);
}

/* Sealed as if the type were the last byte of the plaintext, and the last zero the type. */
void tls_peer_say_padded(struct tls_peer *peer, uint8_t content, const uint8_t *bytes, size_t count, size_t padding)
{
    uint8_t *plain = calloc(1, count + 1 + padding);
    if (count > 0) memcpy(plain, bytes, count);
    plain[count] = content;
    if (padding > 0) {
        tls_peer_say(peer, (enum tls_content)0, plain, count + padding);
    } else {
        tls_peer_say(peer, (enum tls_content)content, plain, count);
    }
    free(plain);
}

void tls_peer_update(struct tls_peer *peer, uint8_t wish)
{
    tls_peer_say(peer, TLS_CONTENT_HANDSHAKE, (const uint8_t[]){24, 0, 0, 1, wish}, 5);
    if (tls_keys_next(&peer->records.out, peer->records.kind) != RC_OK) abort();
}

static size_t feed_once(struct tls_peer *peer, const uint8_t *bytes, size_t count)
{
    static _Thread_local uint8_t plain[TLS_OPEN_BYTES_MAX];
    size_t eaten, plain_count;
    enum tls_result result = tls_read(peer->tls, bytes, count, &eaten, plain, &plain_count);
    if (result == TLS_MORE && eaten != count) abort();
    if (result != TLS_OK && result != TLS_MORE) peer->result = result;
    peer->heard += plain_count;
    for (size_t i = 0; i < plain_count; i++)
        peer->heard_sum += plain[i];
    return eaten;
}

void tls_peer_feed(struct tls_peer *peer)
{
    for (size_t at = 0; at < peer->to_count && peer->result == TLS_OK;) {
        size_t left = peer->to_count - at, count = peer->step > 0 && peer->step < left ? peer->step : left;
        uint8_t *slice = malloc(count); /* a block of its own: the sanitizer sees reads behind it */
        memcpy(slice, peer->to + at, count);
        for (size_t eaten = 0; eaten < count && peer->result == TLS_OK;)
            eaten += feed_once(peer, slice + eaten, count - eaten);
        free(slice);
        at += count;
    }
    peer->to_count = 0;
}

/* ---- from the session ---- */

enum tls_result tls_peer_write(struct tls_peer *peer, const uint8_t *bytes, size_t count)
{
    size_t sealed_count;
    uint8_t *sealed = malloc(TLS_SEALED_BYTES_MAX);
    enum tls_result result = tls_seal(peer->tls, bytes, count, sealed, &sealed_count);
    if (result == TLS_OK && collect(peer, sealed, sealed_count) != RC_OK) abort();
    free(sealed);
    return result;
}

bool tls_peer_hear(struct tls_peer *peer)
{
    const uint8_t *record = peer->from + peer->from_at;
    size_t bytes, left = peer->from_count - peer->from_at;
    if (left < TLS_HEADER_BYTES || tls_record_look(&peer->records, record, &bytes) != TLS_FAULT_NONE || bytes > left)
        return false;
    if (tls_record_open(&peer->records, peer->sessions->aead, record, bytes, peer->plain, &peer->count,
                        &peer->content) != TLS_FAULT_NONE)
        return false;
    peer->from_at += bytes;
    bool is_update = peer->records.is_13 && peer->content == TLS_CONTENT_HANDSHAKE && peer->plain[0] == 24;
    return !is_update || tls_keys_next(&peer->records.in, peer->records.kind) == RC_OK;
}

bool tls_peer_heard_alert(struct tls_peer *peer, uint8_t level, uint8_t number)
{
    return peer->content == TLS_CONTENT_ALERT && peer->count == 2 && peer->plain[0] == level &&
           peer->plain[1] == number;
}
