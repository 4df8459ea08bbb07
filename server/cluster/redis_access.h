/* server/cluster/redis_access.h - what opens a Redis to this server: the password, and whom to trust over TLS.
 *
 * Read once, at start or reload; then any thread may look, and links of one thread at a time may use it.
 * Memory: the password stands in no core dump (core/secret.h). */
#pragma once

#include "core/rc.h"
#include "core/text.h"

#include <stddef.h>

struct redis_access;
struct tls_trust;

enum { REDIS_PASSWORD_BYTES_MAX = 4096 };

/* Files; "" or NULL: none. */
struct redis_access_files {
    const char *password; /* its first line */
    const char *ca;       /* PEM: who may have signed a server's certificate; none: those that the system trusts */
    const char *cert;     /* PEM, with its key: what servers are shown that ask for one */
    const char *key;
};

/* `with_tls`: a rediss:// is among the addresses; otherwise the files of TLS are not read. RC_OK; RC_ENOENT, RC_EINVAL,
 * RC_ENOMEM, RC_EKERNEL and a reason that names file, cause and cure, never what is in it. Waits for the disk. */
enum rc redis_access_new(struct redis_access **access_r, const struct redis_access_files *files, bool with_tls,
                         char *reason_r, size_t reason_size);
/* Accepts NULL. */
void redis_access_free(struct redis_access *access);

/* .at is NULL: there is none. */
struct text redis_access_password(const struct redis_access *access);
/* NULL: not with TLS. */
struct tls_trust *redis_access_trust(const struct redis_access *access);
