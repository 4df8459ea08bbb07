/* server/system/text_file.h - a whole file as text: configuration, lists of apps, secrets.
 *
 * Only regular files are read, so that nothing here waits for anybody: a pipe that nobody writes to would hold a
 * start or a reload. No stdio: no copy of a secret is left in its buffers. Any thread; waits for the disk. */
#pragma once

#include "core/rc.h"

#include <stddef.h>

/* Reads up to `bytes_max`. RC_OK: text_r is owned, with a zero behind its bytes_r bytes, of which any may be zero
 * themselves; text_file_free() it. RC_ENOENT: it cannot be read; RC_EINVAL: it is no regular file, or longer;
 * RC_ENOMEM. On errors reason_r names the file, cause and cure, without a full stop, and nothing is to give back. */
enum rc text_file_read(const char *name, size_t bytes_max, char **text_r, size_t *bytes_r, char *reason_r,
                       size_t reason_size);
/* Overwrites it before, since it may hold secrets. */
void text_file_free(char *text, size_t bytes);
