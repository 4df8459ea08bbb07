/* server/system/safe_line.h - a line of text, put together where nothing may be called that locks or allocates: in a
 * signal handler, of a program whose memory may be broken.
 *
 * Any thread, each with lines of its own. What does not fit is cut. A zeroed struct is an empty line. */
#pragma once

#include <stdint.h>

#define SAFE_LINE_BYTES_MAX 240 /* with its newline */

struct safe_line {
    uint32_t count;
    char text[SAFE_LINE_BYTES_MAX]; /* not terminated until safe_line_end() */
};

void safe_line_text(struct safe_line *line, const char *text);
void safe_line_number(struct safe_line *line, uint64_t number);
void safe_line_signed(struct safe_line *line, int64_t number);
/* With 0x in front. */
void safe_line_hex(struct safe_line *line, uint64_t number);
/* Spaces, until the line has so many bytes. */
void safe_line_pad(struct safe_line *line, uint32_t count);
/* Terminates the text by a zero behind it, which is not counted. */
const char *safe_line_end(struct safe_line *line);
