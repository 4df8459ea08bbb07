/* net/op.h - what a completion needs to find its way back, packed into the 64 bits of user_data.
 *
 *   kind: 8 bits | life: 24 bits | slot: 32 bits
 *
 * A slot is a connection's index and its place in the ring's file table. Slots are used again and completions may
 * come late, so each use has a life; a completion of an earlier life is counted and dropped by whoever takes it. */
#pragma once

#include <stdint.h>

enum op_kind {
#define OP(name, text) OP_##name,
#include "net/op.def"
#undef OP
    OP_KINDS_MAX
};

#define OP_LIFE_MASK 0xffffffu

static inline uint64_t op_pack(enum op_kind kind, uint32_t life, uint32_t slot)
{
    return (uint64_t)kind << 56 | (uint64_t)(life & OP_LIFE_MASK) << 32 | slot;
}

static inline enum op_kind op_kind(uint64_t user_data)
{
    return (enum op_kind)(user_data >> 56);
}

static inline uint32_t op_life(uint64_t user_data)
{
    return (uint32_t)(user_data >> 32) & OP_LIFE_MASK;
}

static inline uint32_t op_slot(uint64_t user_data)
{
    return (uint32_t)user_data;
}

/* The kind's name, for logs. */
const char *op_name(enum op_kind kind);
