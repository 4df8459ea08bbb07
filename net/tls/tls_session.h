/* net/tls/tls_session.h - a session inside, and what it does when its handshake is over: records in and out, alerts,
 * new keys. For the files of net/tls alone. */
#pragma once

#include "core/slab.h"
#include "net/tls/tls_record.h"
#include "net/tls/tls_result.h"

#include <stdbool.h>

struct tls_shake;

/* What the sessions of one thread share, whatever their certificates. */
struct tls_sessions {
    struct slab slab; /* of struct tls */
    struct aead *aead;
};

enum {
    TLS_KEY_UPDATE_BYTES = 5,         /* RFC 8446 4.6.3: type, length, wish */
    TLS_RECORDS_PER_KEY_MAX = 1 << 24 /* we seal with AES-GCM in TLS 1.3: RFC 8446 5.5 allows 2^24.5 */
};

/* Zeroed but for sessions, output and owner, and `shake` until it is open. */
struct tls {
    struct tls_records records; /* when open */
    struct tls_sessions *sessions;
    tls_output *output;
    void *owner;
    union {
        struct tls_shake *shake; /* until open */
        uint8_t *part;           /* a record that has not come whole, of part_bytes; else NULL */
    };
    uint32_t skip; /* TLS 1.2: so much of a ClientHello that was refused is still to come */
    uint16_t part_bytes, part_have;
    uint16_t suite;
    uint16_t out_max;                              /* the longest plaintext that the peer takes */
    uint8_t header_have, header[TLS_HEADER_BYTES]; /* of that record, as long as that has not come whole either */
    uint8_t message_have, message[TLS_KEY_UPDATE_BYTES]; /* of the handshake protocol, not come whole */
    uint8_t empties, updates, warnings;                  /* since data came */
    uint8_t renegotiations;                              /* that were refused */
    uint8_t alert;                                       /* from the peer, behind TLS_ALERTED */
    enum tls_fault fault : 8;                            /* behind TLS_BROKEN, when open */
    enum tls_result result : 8;                          /* TLS_OK: goes on */
    bool has_begun : 1;                                  /* a first byte came */
    bool is_open : 1;
    bool is_resumed : 1;
    bool is_closed : 1;   /* we said close_notify */
    bool owes_update : 1; /* the peer asked for new keys of ours */
};

_Static_assert(sizeof(struct tls) <= 288, "what an idle session costs, but for a hundredth of its block");

/* As tls_read(), tls_seal() and tls_close(), of a session that is open. */
enum tls_result tls_session_read(struct tls *tls, const uint8_t *in, size_t count, size_t *eaten_r, uint8_t *plain,
                                 size_t *plain_count_r);
enum tls_result tls_session_seal(struct tls *tls, const uint8_t *plain, size_t count, uint8_t *sealed,
                                 size_t *sealed_count_r);
void tls_session_close(struct tls *tls);
/* What it has allocated. */
void tls_session_fini(struct tls *tls);
