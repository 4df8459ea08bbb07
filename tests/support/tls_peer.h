/* tests/support/tls_peer.h - a session that is open, and what a client of known keys can send it: any record, sealed
 * rightly, with whatever in it. Both ends are net/tls's; that they seal and open like others is shown with mbedTLS as
 * the client (tests/net/tls/test_tls.c). No handshake is computed.
 *
 *     struct tls_peer peer;
 *     tls_peer_open(&peer, true, AEAD_AES_128_GCM);
 *     tls_peer_say(&peer, TLS_CONTENT_HANDSHAKE, (const uint8_t[]){24, 0, 0, 1, 1}, 5);
 *     tls_peer_feed(&peer);           // peer.result, peer.heard
 *     tls_peer_hear(&peer);           // what the session has said: peer.content, peer.plain, peer.count
 *     tls_peer_close(&peer);
 *
 * tls_global_init() before. */
#pragma once

#include "net/tls/tls.h"
#include "net/tls/tls_session.h"

struct tls_peer {
    struct tls_sessions *sessions;
    struct tls *tls;
    struct tls_records records; /* of the client */
    size_t step;                /* feeds in slices of so many bytes; 0: all at once */
    enum tls_result result;     /* of the session: TLS_OK, or how it ended */
    enum rc output_rc;          /* what its output says */
    size_t heard;               /* bytes of data that the session has read, */
    uint64_t heard_sum;         /* and what they add up to */
    /* on the way to the session, and from it */
    uint8_t *to, *from;
    size_t to_count, from_count, from_at;
    /* the last record that was heard */
    uint8_t content;
    size_t count;
    uint8_t plain[TLS_OPEN_BYTES_MAX];
};

void tls_peer_open(struct tls_peer *peer, bool is_13, enum aead_kind kind);
void tls_peer_close(struct tls_peer *peer);

/* Seals one record of the client's, with `padding` zeros behind it (TLS 1.3), or puts bytes there as they are. */
void tls_peer_say(struct tls_peer *peer, enum tls_content content, const uint8_t *bytes, size_t count);
void tls_peer_say_padded(struct tls_peer *peer, uint8_t content, const uint8_t *bytes, size_t count, size_t padding);
void tls_peer_put(struct tls_peer *peer, const uint8_t *bytes, size_t count);
/* A KeyUpdate, and from then on new keys. */
void tls_peer_update(struct tls_peer *peer, uint8_t wish);
/* All of it goes to the session. */
void tls_peer_feed(struct tls_peer *peer);

/* The session seals data. */
enum tls_result tls_peer_write(struct tls_peer *peer, const uint8_t *bytes, size_t count);
/* Opens the next record that the session has said. A KeyUpdate is taken. False: there is none, or it cannot be
 * opened. */
bool tls_peer_hear(struct tls_peer *peer);
/* Was the last thing heard this alert? */
bool tls_peer_heard_alert(struct tls_peer *peer, uint8_t level, uint8_t number);
