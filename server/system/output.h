/* server/system/output.h - saying something on stdout or stderr without ever waiting longer than one wants for who
 * reads it: a pipe that nobody empties, a terminal that was stopped.
 *
 * Any thread. O_NONBLOCK is not set on the descriptor, which others share: pipes and terminals are opened once more for
 * the moment. Where that is not permitted, a write is cut to what a pipe that has room takes at once. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False, with errno: not all of it went within that time (0: without waiting at all). */
bool output_write(int descriptor, const char *text, size_t bytes, uint32_t patience_ms);
