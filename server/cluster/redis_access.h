/* server/cluster/redis_access.h - what opens a Redis to this server: the password, and whom to trust over TLS.
 *
 * Read once, at start or reload; then any thread may look, and links of one thread at a time may use it.
 * Memory: the password stands in no core dump (core/secret.h). */
#pragma once

#include "core/rc.h"
#include "core/text.h"
#include "server/config/options.h"

#include <stddef.h>

struct redis_access;
struct tls_trust;

enum { REDIS_PASSWORD_BYTES_MAX = 4096 };

/* By redis_password_file and, if one of the addresses in redis is of TLS, by redis_ca, redis_cert and redis_key. RC_OK;
 * RC_ENOENT, RC_EINVAL, RC_ENOMEM, RC_EKERNEL and a reason that names file, cause and cure, never what is in it. Waits
 * for the disk. */
enum rc redis_access_new(struct redis_access **access_r, const struct options *options, char *reason_r,
                         size_t reason_size);
/* Accepts NULL. */
void redis_access_free(struct redis_access *access);

/* .at is NULL: there is none. */
struct text redis_access_password(const struct redis_access *access);
/* NULL: not with TLS. */
struct tls_trust *redis_access_trust(const struct redis_access *access);
