/* server/config/options_read.h - options from flags, environment and files; every error names its cure.
 *
 * Values from the environment, and the entries of its lists, lose the blanks and newlines at both ends; a variable that
 * is empty then counts as not given. One thread; waits for the disk when there is a file. */
#pragma once

#include "server/config/options.h"

#include <stddef.h>

/* Fills `options` from argv (argv[0] is skipped) and envp (as environ; may be NULL). RC_OK: give it back with
 * options_fini(); there is at least one app (app_list_complete()). With `help` or `version` set nothing else was
 * read. RC_EINVAL or RC_ENOMEM: nothing to give back, and error_r (OPTIONS_ERROR_BYTES are enough) holds one line of
 * cause and cure without newline at its end, of files one for each mistake.
 *
 * An unknown flag is an error; an unknown RINGCAST_ variable is only a warning, because others put such names into
 * the environment too (Kubernetes sets RINGCAST_PORT and more when a service is called ringcast). */
enum rc options_read(struct options *options, int argc, char *const argv[], char *const envp[], char *error_r,
                     size_t error_size);
void options_fini(struct options *options);
