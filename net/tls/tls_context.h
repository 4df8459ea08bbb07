/* net/tls/tls_context.h - what the sessions of one thread share, and ticket keys, which all threads share. See
 * net/tls/tls.h for what belongs to which thread. */
#pragma once

#include "core/rc.h"

#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct tls_files;

/* ---- tickets ---- */

/* Keys of session tickets, the newest two: with the newest tickets are made, with both they are read. Any thread. */
struct tls_ticket_keys;
/* A ticket is taken for half of lifetime_seconds at least, and for all of it at most; 2 to TLS_TICKET_SECONDS_MAX.
 * NULL: out of memory. Free when the last context that uses them is gone; accepts NULL. */
struct tls_ticket_keys *tls_ticket_keys_new(uint32_t lifetime_seconds);
void tls_ticket_keys_free(struct tls_ticket_keys *keys);
/* Call now and then. Makes a new key, and forgets the older, if the newest is as old as half the lifetime: what was
 * recorded of sessions resumed before that can then be read by nobody. RC_EKERNEL: no randomness; nothing changed. */
enum rc tls_ticket_keys_rotate(struct tls_ticket_keys *keys);

/* ---- contexts ---- */

/* Holds the files; `keys` (NULL: no tickets) outlive it. With a client_ca there are no tickets either: one made
 * before the file was changed would let in a client whose certificate nobody looked at. RC_EINVAL, RC_ENOMEM,
 * RC_EKERNEL, and a reason. */
enum rc tls_context_new(struct tls_context **context_r, struct tls_files *files, struct tls_ticket_keys *keys,
                        char *reason_r, size_t reason_size);
/* Owner. Drop accepts NULL. */
void tls_context_hold(struct tls_context *context);
void tls_context_drop(struct tls_context *context);
