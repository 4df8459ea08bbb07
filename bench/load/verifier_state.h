/* bench/load/verifier_private.h - what the two halves of the verifier share: verifier.c, while messages come, and
 * verifier_finish.c, the end. */
#pragma once

#include "bench/load/verifier.h"

#include <stdio.h>

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

/* As users number them. */
static inline uint32_t verifier_number(const struct verifier *verifier, uint32_t member)
{
    return layout_number(&verifier->layout, member);
}

/* Words to add where a member that should hear itself never has. */
const char *verifier_echo_hint(const struct verifier *verifier, uint32_t member);
