/* server/cluster/stream_id.c - printing and reading places. */
#include "server/cluster/stream_id.h"

#include <assert.h>
#include <stdio.h>

#define BASE 36

struct text stream_id_write(char to[STREAM_ID_BYTES_MAX], const struct stream_id *id)
{
    int count =
        snprintf(to, STREAM_ID_BYTES_MAX, "%llu-%llu", (unsigned long long)id->epoch, (unsigned long long)id->offset);
    return (struct text){to, (size_t)count};
}

bool stream_id_take(struct text *text, struct stream_id *id_r)
{
    struct text rest = *text;
    if (!text_take_number(&rest, &id_r->epoch) || !text_has_prefix(rest, "-")) return false;
    rest = text_behind(rest, 1);
    if (!text_take_number(&rest, &id_r->offset)) return false;
    *text = rest;
    return true;
}

bool stream_id_read(struct text text, struct stream_id *id_r)
{
    return stream_id_take(&text, id_r) && text.count == 0;
}

struct position stream_id_position(const struct stream_id *id)
{
    assert(id->epoch <= STREAM_EPOCH_MAX);
    struct position position = {.offset = id->offset};
    uint64_t epoch = id->epoch;
    for (size_t i = EPOCH_BYTES; epoch > 0 && i-- > 0; epoch /= BASE) {
        unsigned digit = (unsigned)(epoch % BASE);
        position.epoch[i] = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    }
    for (size_t i = 0; id->epoch > 0 && position.epoch[i] == '\0'; i++)
        position.epoch[i] = '0';
    return position;
}

bool stream_id_of_position(const struct position *position, struct stream_id *id_r)
{
    *id_r = (struct stream_id){.offset = position->offset};
    for (size_t i = 0; i < EPOCH_BYTES; i++) {
        char c = position->epoch[i];
        bool is_digit = c >= '0' && c <= '9';
        if (!is_digit && (c < 'a' || c > 'z')) return false;
        id_r->epoch = id_r->epoch * BASE + (uint64_t)(is_digit ? c - '0' : c - 'a' + 10);
    }
    return true;
}
