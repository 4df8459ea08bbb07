/* net/frame.c - frame headers as a server writes them, masks, close payloads. */
#include "net/frame.h"

#include "net/utf8.h"

#include <assert.h>
#include <string.h>

enum {
    FINAL = 0x80,
    LENGTH_IN_16_BITS = 126, /* in place of a length: it follows in two bytes */
    LENGTH_IN_64_BITS = 127, /* it follows in eight */
    CODE_BYTES = 2,
    CODE_NONE = 1005, /* RFC 6455 7.1.5: what a close without a code counts as; never sent */
};

/* Big endian. */
static void put(uint8_t *to, uint64_t value, size_t bytes)
{
    for (size_t i = bytes; i-- > 0; value >>= 8)
        to[i] = (uint8_t)value;
}

size_t frame_header_write(uint8_t *to, enum frame_opcode opcode, uint64_t length)
{
    assert(length >> 63 == 0);
    to[0] = (uint8_t)(FINAL | opcode);
    if (length < LENGTH_IN_16_BITS) {
        to[1] = (uint8_t)length;
        return 2;
    }
    assert(opcode < FRAME_CLOSE); /* RFC 6455 5.5: control frames are short */
    if (length <= UINT16_MAX) {
        to[1] = LENGTH_IN_16_BITS;
        put(to + 2, length, 2);
        return 4;
    }
    to[1] = LENGTH_IN_64_BITS;
    put(to + 2, length, 8);
    return 10;
}

void frame_unmask(uint8_t *payload, size_t count, uint32_t mask, uint32_t phase)
{
    uint8_t wire[4], key[8]; /* key: twice the four, beginning with the one that meets payload[0] */
    uint64_t key_word, word;
    memcpy(wire, &mask, sizeof wire);
    for (uint32_t i = 0; i < sizeof key; i++)
        key[i] = wire[(phase + i) % 4];
    memcpy(&key_word, key, sizeof key_word);

    size_t at = 0;
    for (; count - at >= sizeof word; at += sizeof word) {
        memcpy(&word, payload + at, sizeof word);
        word ^= key_word;
        memcpy(payload + at, &word, sizeof word);
    }
    for (; at < count; at++)
        payload[at] ^= key[at % 4];
}

/* As many bytes of `text`, at most max, as end between two characters. */
static size_t whole_characters(const char *text, size_t max)
{
    assert(max > 0);
    size_t count = strnlen(text, max + 1);
    if (count <= max) return count;
    count = max;
    while (count > 0 && (text[count] & 0xc0) == 0x80)
        count--;
    return count;
}

size_t frame_close_write(uint8_t *to, uint16_t code, const char *reason)
{
    if (code == 0) return 0;
    put(to, code, CODE_BYTES);
    if (reason == NULL) return CODE_BYTES;
    size_t count = whole_characters(reason, FRAME_CONTROL_BYTES_MAX - CODE_BYTES);
    memcpy(to + CODE_BYTES, reason, count);
    return CODE_BYTES + count;
}

/* May this code stand in a close frame? RFC 6455 7.4 and the registry it opened: 1004 to 1006 and 1015 never do,
 * 1016 to 2999 wait for a meaning, 3000 to 4999 are for libraries and applications. */
static bool code_may_be_sent(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

enum close_reason frame_close_read(const uint8_t *payload, size_t count, uint16_t *code_r)
{
    if (count == 0) {
        *code_r = CODE_NONE;
        return CLOSE_PEER_CLOSED;
    }
    if (count < CODE_BYTES || count > FRAME_CONTROL_BYTES_MAX) return CLOSE_BAD_FRAME;
    uint16_t code = (uint16_t)(payload[0] << 8 | payload[1]);
    if (!code_may_be_sent(code)) return CLOSE_BAD_FRAME;
    struct utf8 utf8 = {0};
    if (!utf8_check(&utf8, payload + CODE_BYTES, count - CODE_BYTES) || !utf8_is_complete(&utf8))
        return CLOSE_BAD_TEXT;
    *code_r = code;
    return CLOSE_PEER_CLOSED;
}
