/* server/system/log_line.h - what a line of the log looks like, in each of its forms:
 *
 *     text    2026-11-23T15:44:00.123Z info  shard 2: a connection ended: socket failed reason=peer_reset bytes_in=5
 *     logfmt  time=2026-11-23T15:44:00.123Z level=info thread="shard 2" message="..." reason=peer_reset bytes_in=5
 *     json    {"time":"2026-11-23T15:44:00.123Z","level":"info","thread":"shard 2","message":"...","bytes_in":5}
 *
 * and, for the journal, as a datagram of its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL). Control characters
 * and bytes that are not UTF-8 become \xNN in all of them, so that no peer can forge a line or a field; what does not
 * fit is cut, with "…" in its place, and fields that find no room are left out: a line of JSON is always whole.
 *
 * No clock, no output, no state; nothing is allocated. */
#pragma once

#include "server/system/log_record.h"

#include <stddef.h>

#define LOG_LINE_BYTES_MAX 2048 /* with the newline: a pipe takes it whole or not at all */

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON, LOG_FORMATS_MAX };

/* "text", "logfmt", "json"; static. */
const char *log_format_name(enum log_format format);

/* Writes the line and a newline, without a closing zero. Returns the bytes written, at most LOG_LINE_BYTES_MAX. */
size_t log_line_format(char line_r[LOG_LINE_BYTES_MAX], enum log_format format, const struct log_record *record);
/* Writes the datagram; the same. */
size_t log_line_format_journal(char line_r[LOG_LINE_BYTES_MAX], const struct log_record *record);
