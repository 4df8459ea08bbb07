/* net/tls/tls_keys.h - the keys of one direction of a session that is open, from the secrets that its handshake agreed
 * on. For the files of net/tls alone. */
#pragma once

#include "core/rc.h"
#include "net/tls/aead_kind.h"

#include <mbedtls/ssl.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TLS_SECRET_BYTES_MAX = 48, /* as long as the suite's hash; TLS 1.2: its master secret */
    TLS_RANDOM_BYTES = 32,
};

/* What comes, or what goes. */
struct tls_direction {
    uint64_t sequence;            /* of the next record; never twice with one key */
    uint8_t iv[AEAD_NONCE_BYTES]; /* TLS 1.2 with AES-GCM: 4 of them, the salt */
    uint8_t key[AEAD_KEY_BYTES_MAX];
    uint8_t secret[TLS_SECRET_BYTES_MAX]; /* TLS 1.3: for the next keys */
};

/* What a handshake of TLS 1.2 has agreed on. */
struct tls_master {
    uint8_t secret[TLS_SECRET_BYTES_MAX];
    uint8_t client_random[TLS_RANDOM_BYTES], server_random[TLS_RANDOM_BYTES];
    mbedtls_tls_prf_types prf;
};

/* Of the hash that goes with each of the suites offered. */
size_t tls_secret_bytes(enum aead_kind kind);

/* RFC 8446 7.3: key and iv from the traffic secret, which is copied; records count from 0. RC_ENOMEM. */
enum rc tls_keys_of_secret(struct tls_direction *direction, enum aead_kind kind, const uint8_t *secret);
/* RFC 8446 7.2: the keys behind a KeyUpdate. RC_ENOMEM: the direction cannot be used any more. */
enum rc tls_keys_next(struct tls_direction *direction, enum aead_kind kind);
/* RFC 5246 6.3. RC_ENOMEM. */
enum rc tls_keys_of_master(struct tls_direction *client, struct tls_direction *server, enum aead_kind kind,
                           const struct tls_master *master);
