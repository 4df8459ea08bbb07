/* server/system/log_line.c - one line of the log: time, level, thread,
 * and a text in which nothing is dangerous any more. */
#include "server/system/log_line.h"

#include "server/system/harmless.h"

#include <stdio.h>
#include <string.h>

size_t log_line_format(char line_r[LOG_LINE_BYTES_MAX], const struct timespec *when, enum log_level level,
                       const char *thread, const char *text)
{
    struct tm utc;
    gmtime_r(&when->tv_sec, &utc);
    size_t used = strftime(line_r, LOG_LINE_BYTES_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    used += (size_t)snprintf(line_r + used, LOG_LINE_BYTES_MAX - used, ".%03dZ %-5s ", (int)(when->tv_nsec / 1000000),
                             log_level_name(level));
    const size_t most = LOG_LINE_BYTES_MAX - 1; /* the newline */
    if (thread[0] != '\0') {
        used += harmless_put(line_r + used, most - used, thread);
        used += harmless_put(line_r + used, most - used, ": ");
    }
    used += harmless_put(line_r + used, most - used, text);
    line_r[used++] = '\n';
    return used;
}
