/* server/system/log_line.c - one line of the log: time, level, thread,
 * and a text in which nothing is dangerous any more. */
#include "server/system/log_line.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CUT       "…"
#define CUT_BYTES (sizeof CUT - 1)

/* 10xxxxxx, and from..to for the second byte of a sequence (Unicode 15, table 3-7). */
static bool is_between(uint8_t byte, uint8_t from, uint8_t to)
{
    return byte >= from && byte <= to;
}

/* The length of the harmless character at `at`, 0 when what stands there is a control character or not UTF-8. Looks
 * at no byte behind a zero. */
static size_t character_bytes(const uint8_t *at)
{
    uint8_t first = at[0], from = 0x80, to = 0xbf;
    size_t length;
    if (is_between(first, 0x20, 0x7e)) return 1;
    if (is_between(first, 0xc2, 0xdf))
        length = 2;
    else if (is_between(first, 0xe0, 0xef))
        length = 3;
    else if (is_between(first, 0xf0, 0xf4))
        length = 4;
    else
        return 0;
    if (first == 0xc2) from = 0xa0; /* below: the controls U+0080 to U+009F, obeyed by terminals like ESC [ */
    if (first == 0xe0) from = 0xa0;
    if (first == 0xf0) from = 0x90;
    if (first == 0xed) to = 0x9f;
    if (first == 0xf4) to = 0x8f;
    if (!is_between(at[1], from, to)) return 0;
    for (size_t i = 2; i < length; i++)
        if (!is_between(at[i], 0x80, 0xbf)) return 0;
    return length;
}

/* Appends the text at `used` and returns the new end; keeps one byte for the newline. */
static size_t append_harmless(char *line, size_t used, const char *text)
{
    const size_t end = LOG_LINE_BYTES_MAX - 1;
    size_t cut_at = used; /* the last place where the mark of a cut still fits */
    for (const uint8_t *at = (const uint8_t *)text; *at != '\0';) {
        char escaped[5];
        size_t eaten = character_bytes(at);
        const char *piece = (const char *)at;
        size_t bytes = eaten;
        if (eaten == 0) {
            snprintf(escaped, sizeof escaped, "\\x%02x", at[0]);
            piece = escaped;
            bytes = 4;
            eaten = 1;
        }
        if (used + bytes > end) {
            memcpy(line + cut_at, CUT, CUT_BYTES);
            return cut_at + CUT_BYTES;
        }
        memcpy(line + used, piece, bytes);
        used += bytes;
        at += eaten;
        if (used + CUT_BYTES <= end) cut_at = used;
    }
    return used;
}

size_t log_line_format(char line_r[LOG_LINE_BYTES_MAX], const struct timespec *when, enum log_level level,
                       const char *thread, const char *text)
{
    struct tm utc;
    gmtime_r(&when->tv_sec, &utc);
    size_t used = strftime(line_r, LOG_LINE_BYTES_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    used += (size_t)snprintf(line_r + used, LOG_LINE_BYTES_MAX - used, ".%03dZ %-5s ", (int)(when->tv_nsec / 1000000),
                             log_level_name(level));
    if (thread[0] != '\0') {
        used = append_harmless(line_r, used, thread);
        used = append_harmless(line_r, used, ": ");
    }
    used = append_harmless(line_r, used, text);
    line_r[used++] = '\n';
    return used;
}
