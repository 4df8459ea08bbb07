/* server/socket_id.c - shard (8 bits), slot (20) and life (24) in one number of 52 bits, which every language holds. */
#include "server/socket_id.h"

#include <stdio.h>

#define LIFE_BITS 24
#define SLOT_BITS 20

struct text socket_id_write(char to[SOCKET_ID_BYTES_MAX], uint32_t random, uint32_t shard, uint32_t slot,
                            uint32_t life)
{
    uint64_t place = (uint64_t)shard << (SLOT_BITS + LIFE_BITS) | (uint64_t)slot << LIFE_BITS | life;
    int count = snprintf(to, SOCKET_ID_BYTES_MAX, "%u.%llu", random, (unsigned long long)place);
    return (struct text){to, (size_t)count};
}

/* Digits, at least one; what does not fit 64 bits is a number too, though nobody's. */
static bool read_number(struct text *text, uint64_t *number_r)
{
    size_t digits = 0;
    *number_r = 0;
    for (; digits < text->count && text->at[digits] >= '0' && text->at[digits] <= '9'; digits++) {
        uint64_t digit = (uint64_t)(text->at[digits] - '0');
        bool is_too_big = *number_r > (UINT64_MAX - digit) / 10;
        *number_r = is_too_big ? UINT64_MAX : *number_r * 10 + digit;
    }
    *text = text_behind(*text, digits);
    return digits > 0;
}

bool socket_id_read(struct text text, struct publisher *publisher_r)
{
    uint64_t random, place;
    if (text.at == NULL || !read_number(&text, &random)) return false;
    if (text.count == 0 || text.at[0] != '.') return false;
    text = text_behind(text, 1);
    if (!read_number(&text, &place) || text.count > 0) return false;
    *publisher_r = (struct publisher){
        .shard = (uint32_t)(place >> (SLOT_BITS + LIFE_BITS)),
        .slot = (uint32_t)(place >> LIFE_BITS) & (SOCKET_ID_SLOTS_MAX - 1),
        .life = (uint32_t)place & ((UINT32_C(1) << LIFE_BITS) - 1),
        .random = random <= UINT32_MAX ? (uint32_t)random : 0,
        .is_excluded = random > 0 && random <= UINT32_MAX && place >> (SLOT_BITS + LIFE_BITS + 8) == 0,
    };
    return true;
}
