/* core/letter.h - what shards say to each other, from one table. Small enough to copy: two fit in 32 bytes. */
#pragma once

#include <stdint.h>

struct message;

enum letter_lane {
    LETTER_LANE_REQUESTS,
    LETTER_LANE_DELIVERIES,
    LETTER_LANES_MAX,
};

enum letter_kind {
#define LETTER(name, lane, text) LETTER_##name,
#include "core/letter.def"
#undef LETTER
};

struct letter {
    struct message *message; /* one reference travels with the letter */
    uint32_t serial;         /* SUBSCRIBE and its SUBSCRIBED: which attempt (struct channel, join_serial) */
    uint8_t kind;            /* enum letter_kind */
};

static inline enum letter_lane letter_lane(enum letter_kind kind)
{
    switch (kind) {
#define LETTER(name, lane, text) \
    case LETTER_##name:          \
        return LETTER_LANE_##lane;
#include "core/letter.def"
#undef LETTER
    }
    __builtin_unreachable();
}
