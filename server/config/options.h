/* server/config/options.h - what the operator decides, from the table options.def; options_read.h reads it.
 *
 * A default gives way to a file (--config, server/config/file.h), the file to the environment (RINGCAST_SHARDS=4),
 * the environment to a flag (--shards 4). A list given in one place replaces the list of the place before; a flag
 * given again adds to a list and otherwise overrides. Read by one
 * thread; afterwards any thread may look.
 */
#pragma once

#include "core/rc.h"
#include "server/config/app.h"
#include "server/config/history_rule.h"
#include "server/config/network.h"
#include "server/config/option_value.h"
#include "server/config/origin.h"

#include <stdbool.h>

#define OPTIONS_ERROR_BYTES   4096 /* enough for every error text, and for twenty of a file */
#define OPTIONS_WARNING_BYTES 4096 /* further ones are "and more" */

enum option_id {
#define OPTION_GROUP(title)
#define OPTION(type, name, ...) OPTION_##name,
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
    OPTIONS_COUNT
};

/* Later ones win. */
enum option_source { OPTION_DEFAULT, OPTION_FILE, OPTION_ENVIRONMENT, OPTION_FLAG };

/* Where an entry of a list stands, or the value of anything else. */
struct option_place {
    enum option_id option;
    enum option_source source; /* not OPTION_FILE: in a file that was named there */
    uint32_t entry;
    uint32_t line;
    const char *file;
};

struct options {
#define OPTION_GROUP(title)
#define OPTION(type, name, ...) option_##type name;
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
    enum option_source sources[OPTIONS_COUNT];
    struct text_list files;      /* that were read */
    struct option_place *places; /* in them; of one that was given again the last counts */
    uint32_t places_count;
    char warnings[OPTIONS_WARNING_BYTES]; /* what is odd but stops no start, for the log: a line each; "": nothing */
};

/* Was the option given, by flag, environment or file? */
static inline bool options_is_set(const struct options *options, enum option_id option)
{
    return options->sources[option] != OPTION_DEFAULT;
}
