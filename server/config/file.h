/* server/config/file.h - the configuration file, --config: options by section, apps, channels that keep history.
 *
 *     [limits]
 *     ping_ms = 30s                 an option of options.def, in its section (server/config/section.def)
 *     [app shop]                    an app: its ID; below it key, secret and its settings
 *     [channels private-*]          a rule of history: its pattern; below it its settings
 *
 * How lines are read says server/config/ini.h. A name may have '-' for '_', and may leave out its section's: [tls] cert
 * is tls_cert. A list has a line for each entry, or several in one line, parted as in the environment. An empty value
 * makes an option the default again.
 *
 * Behind the file come those of the folder conf.d beside it whose names end in .conf, in the order of their bytes. What
 * a later one says of an option counts; entries of lists, apps and rules add up, and none of these may be there twice.
 *
 * Start-up only; one thread; waits for the disk. */
#pragma once

#include "server/config/options.h"

/* Reads them into *options, which has the defaults. RC_OK; RC_EINVAL: error has a line for each mistake, up to twenty
 * and how many more there are, with file, line and cure; RC_ENOMEM. */
enum rc config_file_read(struct options *options, const char *name, struct option_error *error);
