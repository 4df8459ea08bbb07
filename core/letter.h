/* core/letter.h - what shards say to each other, from one table. Small enough to copy: two fit in 32 bytes. */
#pragma once

#include <stdint.h>

struct join;
struct message;
struct query;
struct roster;

#define HOMES_MAX  256 /* shards that have clients, and are homes of channels */
#define SHARDS_MAX 320 /* these and the one for backends, in whole words of a set of bits */

enum letter_lane {
    LETTER_LANE_REQUESTS,
    LETTER_LANE_DELIVERIES,
    LETTER_LANES_MAX,
};

enum letter_kind {
#define LETTER(name, lane, body, text) LETTER_##name,
#include "core/letter.def"
#undef LETTER
};

struct letter {
    union {                      /* which one the kind says; it belongs to whoever holds the letter */
        struct message *message; /* one reference */
        struct join *join;
        struct query *query;
        struct roster *roster; /* the home's own, which stays while the sender has subscribers */
        void *body;
    };
    uint8_t kind; /* enum letter_kind */
    uint8_t form; /* LEAVE: enum form */
};

static inline enum letter_lane letter_lane(enum letter_kind kind)
{
    switch (kind) {
#define LETTER(name, lane, body, text) \
    case LETTER_##name:                \
        return LETTER_LANE_##lane;
#include "core/letter.def"
#undef LETTER
    }
    __builtin_unreachable();
}

/* The kind's name in capitals, for who explains what happened; "UNKNOWN" of a number that is none. */
const char *letter_name(unsigned kind);
