/* server/system/safe_line.c - text and numbers, byte by byte, into memory of the caller's own. */
#include "server/system/safe_line.h"

#include <string.h>

#define DIGITS_MAX 20 /* of UINT64_MAX in base 10 */
#define ROOM       (SAFE_LINE_BYTES_MAX - 1)

void safe_line_text(struct safe_line *line, const char *text)
{
    while (*text != '\0' && line->count < ROOM) {
        line->text[line->count++] = *text++;
    }
}

static void put_in_base(struct safe_line *line, uint64_t number, unsigned base)
{
    char digits[DIGITS_MAX + 1];
    char *at = digits + DIGITS_MAX;
    *at = '\0';
    do {
        *--at = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    safe_line_text(line, at);
}

void safe_line_number(struct safe_line *line, uint64_t number)
{
    put_in_base(line, number, 10);
}

void safe_line_signed(struct safe_line *line, int64_t number)
{
    if (number < 0) safe_line_text(line, "-");
    put_in_base(line, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10);
}

void safe_line_hex(struct safe_line *line, uint64_t number)
{
    safe_line_text(line, "0x");
    put_in_base(line, number, 16);
}

void safe_line_pad(struct safe_line *line, uint32_t count)
{
    while (line->count < count && line->count < ROOM) {
        line->text[line->count++] = ' ';
    }
}

const char *safe_line_end(struct safe_line *line)
{
    line->text[line->count] = '\0';
    return line->text;
}
