/* bench/load/verifier_state.h - what a verifier has seen, for its two halves: verifier.c, while messages come, and
 * verifier_finish.c, the end. */
#pragma once

#include "bench/load/layout.h"

#include <stddef.h>
#include <stdio.h>

#define VERIFIER_COUNTS_MAX (UINT64_C(1) << 26) /* members times publishers of a room: 256 MiB */
#define VERIFIER_LOG_MAX    (1u << 22)          /* messages that witnesses remember: 64 MiB */

#define VERIFIER_OFFEND(v, ...) (snprintf((v)->offence, sizeof(v)->offence, __VA_ARGS__), false)
#define VERIFIER_NOTHING        UINT32_MAX /* in `next` of those apart: nothing has come since they joined */

/* The hash of a sequence is a polynomial in this, modulo 2^64, so that a piece's can be told from two prefixes'. */
#define VERIFIER_BASE UINT64_C(0xd6e8feb86659fd93)

enum verifier_mark {
    VERIFIER_SEES_ALL = 1,
    VERIFIER_IS_WITNESS = 2,
    VERIFIER_IS_APART = 4,
    VERIFIER_IS_SLOW = 8,
};

struct verifier_member {
    uint64_t count; /* messages so far */
    uint64_t hash;  /* of their sequence */
    uint32_t room;
    uint32_t marks;
};

/* What the first member to come so far got there. */
struct verifier_position {
    uint64_t count; /* messages up to and with this one; 0: not used yet */
    uint64_t hash;
    uint32_t member;
    uint32_t publisher;
    uint32_t sequence;
};

struct verifier_guest {
    uint64_t joined; /* messages that had been sent then */
    uint32_t first_publisher;
    uint32_t first_sequence;
    bool is_away;
};

struct verifier_piece {
    uint64_t count;
    uint64_t hash;
    uint32_t member;
    uint32_t publisher; /* of the first message */
    uint32_t sequence;
};

struct verifier_entry {
    uint32_t publisher;
    uint32_t sequence;
    uint64_t hash; /* of all before it */
};

struct verifier_log {
    struct verifier_entry *entries;
    uint32_t count;
    uint32_t capacity;
};

struct verifier {
    struct layout layout;
    uint32_t first; /* its members of the layout: from this one on */
    uint32_t count;
    uint32_t publishers_per_room; /* at most, rounded up */
    uint32_t *next;               /* of each member, for each publisher of its room: the number that is due */
    struct verifier_member *members;
    struct verifier_position *positions; /* of each room, the last positions_per_room */
    uint32_t positions_per_room;         /* power of two */
    uint64_t *left_out; /* of each publisher, without echo: the witness's hash without its messages */

    struct verifier_guest *guests; /* of each member, this and the rest only if some are apart */
    struct verifier_log *logs;     /* of each room, by its witness */
    uint32_t logged;               /* in all of them */
    struct verifier_piece *pieces; /* of guests that have left */
    size_t pieces_count;
    size_t pieces_capacity;

    bool is_full;      /* the offence is our own: no more can be remembered */
    char offence[320]; /* empty: none yet */
};

static inline uint32_t *verifier_next(const struct verifier *verifier, uint32_t member, uint32_t publisher)
{
    size_t row = (size_t)(member - verifier->first) * verifier->publishers_per_room;
    return &verifier->next[row + publisher / verifier->layout.rooms];
}

/* The first message of a publisher that was sent when `joined` had been. */
static inline uint32_t verifier_due(const struct verifier *verifier, uint64_t joined, uint32_t publisher)
{
    uint32_t publishers = verifier->layout.publishers;
    return joined <= publisher ? 0 : (uint32_t)((joined - publisher + publishers - 1) / publishers);
}

/* The number of a member, as users number them. */
static inline uint32_t verifier_number(const struct verifier *verifier, uint32_t member)
{
    return layout_number(&verifier->layout, member);
}

/* Words to add where a member that should hear itself never has. */
const char *verifier_echo_hint(const struct verifier *verifier, uint32_t member);
