/* server/store/store_upgrade.h - versions of the database: which one it has, and how it becomes the present one.
 * Threads: whoever opens the directory. */
#pragma once

#include "core/rc.h"

struct opening;

/* Which version it has, by its log too; nothing is written. RC_EINVAL: none that this ringcast knows. */
enum rc store_version_of(struct opening *opening, int *version_r);
/* Brings it to the present version, after a copy of it was saved beside it. */
enum rc store_upgrade(struct opening *opening, int version);
