/* server/config/apps_file.h - many apps, a line each: the option apps_file.
 *
 *     # the shops
 *     1001:KEY:SECRET members_max=500
 *
 * A line is what --app takes; empty ones and those that begin with # or ; are comments. The apps come where the option
 * was given: behind those of [app ID] sections when a file gave it, in place of them when a variable or a flag did.
 * Apps that a variable or a flag gave by themselves replace them in turn. */
#pragma once

#include "server/config/options.h"

/* Adds the apps of options->apps_file, if any, when all else was read. RC_OK; RC_EINVAL: *error has a line for each
 * mistake; RC_ENOMEM. One thread; waits for the disk. */
enum rc apps_file_read(struct options *options, struct option_error *error);
