/* net/tls/tls_context.h - what the handshakes of one thread share. See net/tls/tls.h for what belongs to which thread.
 */
#pragma once

#include "core/rc.h"

#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct tls_files;
struct tls_ticket_keys;

/* Holds the files; `keys` (NULL: no tickets) outlive it. With a client_ca there are no tickets either: one made
 * before the file was changed would let in a client whose certificate nobody looked at. RC_EINVAL, RC_ENOMEM,
 * RC_EKERNEL, and a reason. */
enum rc tls_context_new(struct tls_context **context_r, struct tls_files *files, struct tls_ticket_keys *keys,
                        char *reason_r, size_t reason_size);
/* Owner. Drop accepts NULL. */
void tls_context_hold(struct tls_context *context);
void tls_context_drop(struct tls_context *context);
