/* tests/fuzz/fuzz_tls_session.c - what a client of known keys may send when a session of TLS is open: any records,
 * sealed rightly, with anything in them, and any bytes between.
 *
 * The first byte of the input says version and AEAD, the second how the bytes are cut. What follows is orders: one byte
 * of enum order, one that says how many bytes it takes, those bytes. All that the session says has to open with the
 * client's keys, and ends with an alert if it was broken; the sanitizers see to the rest. */
#include "tests/fuzz/fuzz.h"
#include "tests/support/tls_peer.h"

enum order { SAY_DATA, SAY_ALERT, SAY_HANDSHAKE, SAY_ANY, SAY_PADDED, PUT, UPDATE, FEED, WRITE, CLOSE, ORDERS_MAX };

static void obey(struct tls_peer *peer, enum order order, struct bytes with)
{
    static uint8_t plain[TLS_RECORD_BYTES_MAX];
    uint8_t first = with.count > 0 ? with.at[0] : 0;
    switch (order) {
    case SAY_DATA:
        tls_peer_say(peer, TLS_CONTENT_DATA, with.at, with.count);
        break;
    case SAY_ALERT:
        tls_peer_say(peer, TLS_CONTENT_ALERT, with.at, with.count);
        break;
    case SAY_HANDSHAKE:
        tls_peer_say(peer, TLS_CONTENT_HANDSHAKE, with.at, with.count);
        break;
    case SAY_ANY:
        tls_peer_say(peer, (enum tls_content)first, with.at, with.count);
        break;
    case SAY_PADDED:
        tls_peer_say_padded(peer, first, with.at, with.count, (size_t)first * 64);
        break;
    case PUT:
        tls_peer_put(peer, with.at, with.count);
        break;
    case UPDATE:
        if (peer->records.is_13) tls_peer_update(peer, first % 3);
        break;
    case FEED:
        tls_peer_feed(peer);
        break;
    case WRITE:
        if (!peer->tls->is_closed) tls_peer_write(peer, plain, (size_t)first * 64);
        break;
    case CLOSE:
        tls_close(peer->tls);
        break;
    case ORDERS_MAX:
        break;
    }
}

static void check(struct tls_peer *peer)
{
    bool has_alert = false;
    FUZZ_CHECK((tls_reason(peer->tls)[0] != '\0') == (peer->result != TLS_OK));
    FUZZ_CHECK(peer->result != TLS_NO_MEMORY && peer->result != TLS_NOT_TLS);
    while (peer->from_at < peer->from_count) {
        FUZZ_CHECK(tls_peer_hear(peer));
        has_alert = peer->content == TLS_CONTENT_ALERT && peer->plain[0] == 2;
    }
    FUZZ_CHECK(has_alert == (peer->result == TLS_BROKEN && !peer->tls->is_closed) || peer->tls->is_closed);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t count)
{
    struct tls_peer peer;
    if (count < 2) return 0;
    FUZZ_CHECK(tls_global_init() == RC_OK);
    tls_peer_open(&peer, input[0] % 2 == 1, (enum aead_kind)(input[0] / 2 % AEAD_KINDS_MAX));
    peer.step = input[1];
    for (size_t at = 2; at + 2 <= count && peer.from_count < 64 * 1024 && peer.to_count < 32 * 1024;) {
        size_t bytes = input[at + 1] < count - at - 2 ? input[at + 1] : count - at - 2;
        struct bytes with = fuzz_slice(input + at + 2, bytes);
        obey(&peer, (enum order)(input[at] % ORDERS_MAX), with);
        free(with.at);
        at += 2 + bytes;
    }
    tls_peer_feed(&peer);
    check(&peer);
    tls_peer_close(&peer);
    return 0;
}
