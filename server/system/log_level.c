/* server/system/log_level.c - levels of the log by name. */
#include "server/system/log_level.h"

#include <assert.h>
#include <string.h>

static const char *const level_names[LOG_LEVELS_MAX] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

const char *log_level_name(enum log_level level)
{
    assert(level < LOG_LEVELS_MAX);
    return level_names[level];
}

enum rc log_level_read(const char *name, enum log_level *level_r)
{
    for (enum log_level level = 0; level < LOG_LEVELS_MAX; level++) {
        if (strcmp(name, level_names[level]) != 0) continue;
        *level_r = level;
        return RC_OK;
    }
    return RC_EINVAL;
}
