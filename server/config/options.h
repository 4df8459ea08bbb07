/* server/config/options.h - what the operator decides, from the table options.def.
 *
 * A default gives way to the environment (RINGCAST_SHARDS=4), the environment to a flag (--shards 4). A list given in
 * one place replaces the list of the place before; a flag given again adds to a list and otherwise overrides. Values
 * from the environment, and the entries of its lists, lose the blanks and newlines at both ends; a variable that is
 * empty then counts as not given. Read once at start by one thread; afterwards any thread may look.
 */
#pragma once

#include "core/rc.h"
#include "server/config/app.h"
#include "server/config/history_rule.h"
#include "server/config/option_value.h"
#include "server/config/origin.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct option_row;

#define OPTIONS_ERROR_BYTES 512 /* enough for every error text */

enum option_id {
#define OPTION_GROUP(title)
#define OPTION(type, name, ...) OPTION_##name,
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
    OPTIONS_COUNT
};

/* Later ones win. */
enum option_source { OPTION_DEFAULT, OPTION_ENVIRONMENT, OPTION_FLAG };

struct options {
#define OPTION_GROUP(title)
#define OPTION(type, name, ...) option_##type name;
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
    enum option_source sources[OPTIONS_COUNT];
    char warning[OPTIONS_ERROR_BYTES]; /* something odd that stops no start, for the log; "": nothing */
};

/* Fills `options` from argv (argv[0] is skipped) and envp (as environ; may be NULL). RC_OK: give it back with
 * options_fini(); there is at least one app (app_list_complete()). With `help` or `version` set nothing else was
 * read. RC_EINVAL or RC_ENOMEM: nothing to give back, and error_r (OPTIONS_ERROR_BYTES are enough) holds one line of
 * cause and cure without newline.
 *
 * An unknown flag is an error; an unknown RINGCAST_ variable is only a warning, because others put such names into
 * the environment too (Kubernetes sets RINGCAST_PORT and more when a service is called ringcast). */
enum rc options_read(struct options *options, int argc, char *const argv[], char *const envp[], char *error_r,
                     size_t error_size);
void options_fini(struct options *options);

/* An option's row in the table. */
const struct option_row *option_row_of(enum option_id option);
/* Was the option given, by flag or environment? */
bool options_is_set(const struct options *options, enum option_id option);

/* Writes what --help shows, at most 100 columns wide. */
void options_help(FILE *out);
