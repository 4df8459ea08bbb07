/* server/system/log_level.h - how grave a line of the log is. No state. */
#pragma once

#include "core/rc.h"

/* Each level includes those before it. */
enum log_level {
    LOG_LEVEL_ERROR, /* something is broken: the operator has to act */
    LOG_LEVEL_WARN,  /* something was refused or lost; the server goes on */
    LOG_LEVEL_INFO,  /* what a calm day looks like */
    LOG_LEVEL_DEBUG, /* for whoever reads the code beside it */
    LOG_LEVELS_MAX
};

/* "error", "warn", "info", "debug"; static. */
const char *log_level_name(enum log_level level);
/* RC_OK, or RC_EINVAL when no level has this name. */
enum rc log_level_read(const char *name, enum log_level *level_r);
