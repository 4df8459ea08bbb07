/* server/protocol/socket_id.c - shard (8 bits), slot (20) and life (24) in one number of 52 bits,
 * which every language holds. */
#include "server/protocol/socket_id.h"

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

bool socket_id_read(struct text text, struct publisher *publisher_r)
{
    uint64_t random, place;
    if (text.at == NULL || !text_take_number(&text, &random)) return false;
    if (text.count == 0 || text.at[0] != '.') return false;
    text = text_behind(text, 1);
    if (!text_take_number(&text, &place) || text.count > 0) return false;
    *publisher_r = (struct publisher){
        .shard = (uint32_t)(place >> (SLOT_BITS + LIFE_BITS)),
        .slot = (uint32_t)(place >> LIFE_BITS) & (SOCKET_ID_SLOTS_MAX - 1),
        .life = (uint32_t)place & ((UINT32_C(1) << LIFE_BITS) - 1),
        .random = random <= UINT32_MAX ? (uint32_t)random : 0,
        .is_excluded = random > 0 && random <= UINT32_MAX && place >> (SLOT_BITS + LIFE_BITS + 8) == 0,
    };
    return true;
}
