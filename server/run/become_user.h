/* server/run/become_user.h - what root does before a check: become the user that the service runs as, and see no more
 * than that user does.
 *
 * As in the unit, ports below 1024 stay allowed and the rings' memory may be locked. For a process with one thread;
 * there is no way back. */
#pragma once

#include "core/rc.h"

#include <stddef.h>

#define SERVICE_USER "ringcast" /* of the package's unit */

/* RC_OK: it is that user, with that user's groups. RC_EINVAL: it is not, and reason_r says why and what to give,
 * without a full stop; then end. */
enum rc become_user(const char *name, char *reason_r, size_t reason_size);
