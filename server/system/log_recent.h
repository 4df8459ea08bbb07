/* server/system/log_recent.h - the last warnings and errors that were logged, for who looks from afar.
 *
 * Threads: any; who logs never waits: while somebody reads, or another one keeps a line, a line is not kept here.
 * Bounds:  the last LOG_RECENT_LINES lines, cut to LOG_RECENT_BYTES. Texts are as they were logged, before what is no
 *          UTF-8 or a control character in them is escaped. */
#pragma once

#include "server/system/log_level.h"

#include <stdint.h>

#define LOG_RECENT_LINES  32
#define LOG_RECENT_BYTES  400
#define LOG_RECENT_THREAD 16

struct log_recent {
    uint64_t time_ms; /* since 1970 */
    enum log_level level;
    char thread[LOG_RECENT_THREAD];
    char text[LOG_RECENT_BYTES];
};

/* Keeps a line of level error or warn, and no other. */
void log_recent_keep(uint64_t time_ms, enum log_level level, const char *thread, const char *text);
/* Copies them, the oldest first; returns how many there are. */
uint32_t log_recent_read(struct log_recent lines_r[LOG_RECENT_LINES]);
