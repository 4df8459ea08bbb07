/* net/tls/tls_ticket_keys.h - keys of session tickets (RFC 5077, RFC 8446 4.6.1), which all threads share.
 *
 * With the newest tickets are made, with all they are read. They are made here and forgotten in time, or given, so that
 * tickets outlive a restart and are good at several servers; the clocks of those have to agree, for a ticket of TLS 1.3
 * has a time in it.
 * Threads: any; there is a lock. */
#pragma once

#include "core/rc.h"

#include <stddef.h>
#include <stdint.h>

enum {
    TLS_TICKET_KEY_BYTES = 32,
    TLS_TICKET_KEYS_MAX = 8, /* given */
};

struct tls_ticket_keys;

struct tls_ticket_key {
    uint8_t bytes[TLS_TICKET_KEY_BYTES];
};

/* A ticket is taken for half of lifetime_seconds at least, and for all of it at most; 2 to TLS_TICKET_SECONDS_MAX.
 * NULL: out of memory. Free when the last context that uses them is gone; accepts NULL. */
struct tls_ticket_keys *tls_ticket_keys_new(uint32_t lifetime_seconds);
void tls_ticket_keys_free(struct tls_ticket_keys *keys);
/* From now on these: the first makes tickets, each reads them, for lifetime_seconds. 1 to TLS_TICKET_KEYS_MAX of them.
 * RC_ENOMEM: nothing changed. */
enum rc tls_ticket_keys_give(struct tls_ticket_keys *keys, const struct tls_ticket_key *given, size_t count);
/* Call every few seconds. Those that were given are given again: mbedTLS puts a key of its own before them when the
 * day's time goes back or leaps ahead. If none was: makes a new key, and forgets the older of two, if the newest is as
 * old as half the lifetime; what was recorded of TLS 1.2 sessions whose tickets it sealed can then be read by nobody.
 * RC_EKERNEL: no randomness; RC_ENOMEM; nothing changed. */
enum rc tls_ticket_keys_rotate(struct tls_ticket_keys *keys);

/* Reads a file of them: one a line, 64 hexadecimal digits as `openssl rand -hex 32` writes; empty lines and those that
 * begin with # are passed over. RC_ENOENT, RC_EINVAL, RC_ENOMEM, and a sentence that names file, line, cause and cure.
 */
enum rc tls_ticket_keys_read(const char *name, struct tls_ticket_key given_r[TLS_TICKET_KEYS_MAX], size_t *count_r,
                             char *reason_r, size_t reason_size);
