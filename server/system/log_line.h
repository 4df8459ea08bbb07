/* server/system/log_line.h - what a line of the log looks like. For server/system/log.c; no clock,
 * no output, no state. */
#pragma once

#include "server/system/log_level.h"

#include <stddef.h>
#include <time.h>

#define LOG_LINE_BYTES_MAX 512 /* with the newline */

/* Writes "2026-11-23T15:44:00.123Z info  shard 2: text" and a newline, without a closing zero; `thread` may be "" and
 * is left out then. Control characters and bytes that are not UTF-8 become \xNN; what does not fit is cut, with "…"
 * in its place. Returns the bytes written, at most LOG_LINE_BYTES_MAX. */
size_t log_line_format(char line_r[LOG_LINE_BYTES_MAX], const struct timespec *when, enum log_level level,
                       const char *thread, const char *text);
