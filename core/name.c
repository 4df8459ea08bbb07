/* core/name.c - the keyed hash of channel names (SipHash-1-3, Aumasson and Bernstein 2012) and their grammar. */
#include "core/name.h"

#include <assert.h>

static uint64_t key[2];

void name_set_key(uint64_t key_0, uint64_t key_1)
{
    key[0] = key_0;
    key[1] = key_1;
}

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

static uint64_t hash_text(const char *text, uint32_t length)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
                     key[1] ^ 0x7465646279746573};
    uint64_t word;
    uint32_t left = length;
    for (; left >= sizeof word; text += sizeof word, left -= sizeof word) {
        memcpy(&word, text, sizeof word);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    memcpy(&word, text, left);
    word |= (uint64_t)length << 56; /* the length closes the last word, so that "a" and "a\0" differ */
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

struct name name_of(uint16_t app, struct text text)
{
    assert(text.count <= UINT32_MAX);
    /* Nobody can choose the app: one multiplication keeps the names of apps apart (Knuth's multiplier, 64 bits). */
    uint64_t hash = hash_text(text.at, (uint32_t)text.count) ^ app * UINT64_C(0x9e3779b97f4a7c15);
    return (struct name){.text = text.at, .length = (uint32_t)text.count, .app = app, .hash = hash};
}

bool name_is_valid(struct text text)
{
    if (text.count == 0 || text.count > NAME_BYTES_MAX) return false;
    for (size_t i = 0; i < text.count; i++) {
        char c = text.at[i];
        bool is_word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!is_word && (c == '\0' || strchr("_-=@,.;", c) == NULL)) return false;
    }
    return true;
}
