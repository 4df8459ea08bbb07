/* server/cluster/redis_out.c - a buffer of commands, which is written at one end and sent from the other. */
#include "server/cluster/redis_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES_MAX   ((size_t)256 * 1024)
#define CAPACITY_MIN     ((size_t)8192) /* so that what has a password in it is never moved */
#define HEADER_BYTES_MAX 24             /* a type, a number, an end of line */

static size_t digits_of(size_t number)
{
    size_t digits = 1;
    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

/* "*3\r\n", and for each text "$5\r\n", itself, "\r\n". */
static size_t command_bytes(const struct text *texts, size_t count)
{
    size_t bytes = 1 + digits_of(count) + 2;
    for (size_t i = 0; i < count; i++)
        bytes += 1 + digits_of(texts[i].count) + 2 + texts[i].count + 2;
    return bytes;
}

static char *put_header(char *to, char type, size_t number)
{
    char digits[HEADER_BYTES_MAX];
    size_t at = sizeof digits;
    digits[--at] = '\n';
    digits[--at] = '\r';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    digits[--at] = type;
    memcpy(to, digits + at, sizeof digits - at);
    return to + (sizeof digits - at);
}

static char *put_command(char *to, const struct text *texts, size_t count)
{
    to = put_header(to, '*', count);
    for (size_t i = 0; i < count; i++) {
        to = put_header(to, '$', texts[i].count);
        to = text_put(to, texts[i]);
        *to++ = '\r';
        *to++ = '\n';
    }
    return to;
}

/* Room for so many bytes behind what waits. */
static enum rc make_room(struct redis_out *out, size_t bytes)
{
    size_t waiting = out->to - out->from;
    if (out->capacity - out->to >= bytes) return RC_OK;
    if (waiting > 0 && out->from > 0) memmove(out->bytes, out->bytes + out->from, waiting);
    out->from = 0;
    out->to = waiting;
    if (out->capacity - waiting >= bytes) return RC_OK;
    size_t capacity = out->capacity < CAPACITY_MIN ? CAPACITY_MIN : out->capacity;
    while (capacity - waiting < bytes)
        capacity *= 2;
    char *larger = realloc(out->bytes, capacity);
    if (larger == NULL) return RC_ENOMEM;
    out->bytes = larger;
    out->capacity = capacity;
    return RC_OK;
}

enum rc redis_out_add(struct redis_out *out, const struct text *texts, size_t count, size_t bytes_max)
{
    size_t bytes = command_bytes(texts, count), waiting = out->to - out->from;
    if (waiting > bytes_max || bytes > bytes_max - waiting) return RC_EFULL;
    enum rc rc = make_room(out, bytes);
    if (rc != RC_OK) return rc;
    put_command(out->bytes + out->to, texts, count);
    out->to += bytes;
    return RC_OK;
}

void redis_out_sent(struct redis_out *out, size_t count)
{
    out->from += count;
    if (out->from < out->to) return;
    if (out->capacity > KEPT_BYTES_MAX) redis_out_fini(out);
    out->from = out->to = 0;
}

void redis_out_wipe(struct redis_out *out)
{
    if (out->bytes != NULL) explicit_bzero(out->bytes, out->capacity);
    out->from = out->to = 0;
}

void redis_out_fini(struct redis_out *out)
{
    free(out->bytes);
    *out = (struct redis_out){0};
}
