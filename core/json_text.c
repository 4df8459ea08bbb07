/* core/json_text.c - escaping, sixteen bytes at a time as long as none of them needs it.
 *
 * Only a group with something to escape is looked at byte by byte; most text has few of them. */
#include "core/json_text.h"

#include <stdbool.h>
#include <stdint.h>

/* GCC's vectors: on x86-64 and AArch64 one register, elsewhere several. */
typedef uint8_t sixteen __attribute__((vector_size(16)));
typedef uint64_t pair __attribute__((vector_size(16)));

/* What stands behind the backslash; 'u': four digits follow; 0: nothing to escape (RFC 8259 7). */
static const char letters[256] = {
    [0x00 ... 0x07] = 'u', ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n',  [0x0b] = 'u',
    ['\f'] = 'f',          ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\', [0x0e ... 0x1f] = 'u',
};

/* Is there nothing to escape in the sixteen bytes from `at` on? */
static inline bool are_plain(const char *at)
{
    sixteen bytes;
    memcpy(&bytes, at, sizeof bytes);
    pair special = (pair)((bytes < 0x20) | (bytes == '"') | (bytes == '\\'));
    return (special[0] | special[1]) == 0;
}

/* Does the letter itself need a backslash when it is escaped once more? */
static inline bool is_doubled(char letter)
{
    return letter == '"' || letter == '\\';
}

/* How much longer a byte becomes. */
static inline size_t extra_bytes(char byte, bool is_twice)
{
    char letter = letters[(uint8_t)byte];
    if (letter == 0) return 0;
    size_t bytes = letter == 'u' ? 5 : 1;
    if (is_twice) bytes += is_doubled(letter) ? 2 : 1;
    return bytes;
}

static inline char *write_byte(char *to, char byte, bool is_twice)
{
    char letter = letters[(uint8_t)byte];
    if (letter == 0) {
        *to++ = byte;
        return to;
    }
    *to++ = '\\';
    if (is_twice) *to++ = '\\';
    if (is_twice && is_doubled(letter)) *to++ = '\\';
    *to++ = letter;
    if (letter == 'u') {
        const char digits[] = {'0', '0', (char)('0' + (byte >> 4)), "0123456789abcdef"[byte & 0x0f]};
        memcpy(to, digits, sizeof digits);
        to += sizeof digits;
    }
    return to;
}

static inline size_t count_bytes(struct text text, bool is_twice)
{
    size_t bytes = text.count, i = 0;
    for (; text.count - i >= sizeof(sixteen); i += sizeof(sixteen)) {
        if (are_plain(text.at + i)) continue;
        for (size_t j = i; j < i + sizeof(sixteen); j++)
            bytes += extra_bytes(text.at[j], is_twice);
    }
    for (; i < text.count; i++)
        bytes += extra_bytes(text.at[i], is_twice);
    return bytes;
}

static inline char *write_text(char *to, struct text text, bool is_twice)
{
    size_t i = 0;
    for (; text.count - i >= sizeof(sixteen); i += sizeof(sixteen)) {
        if (are_plain(text.at + i)) {
            memcpy(to, text.at + i, sizeof(sixteen));
            to += sizeof(sixteen);
            continue;
        }
        for (size_t j = i; j < i + sizeof(sixteen); j++)
            to = write_byte(to, text.at[j], is_twice);
    }
    for (; i < text.count; i++)
        to = write_byte(to, text.at[i], is_twice);
    return to;
}

size_t json_text_bytes(struct text text)
{
    return count_bytes(text, false);
}

char *json_text_write(char *to, struct text text)
{
    return write_text(to, text, false);
}

size_t json_text_bytes_twice(struct text text)
{
    return count_bytes(text, true);
}

char *json_text_write_twice(char *to, struct text text)
{
    return write_text(to, text, true);
}
