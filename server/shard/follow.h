/* server/shard/follow.h - telling the control shard, step by step, what becomes of the messages of one channel, while
 * an operator wants to know (server/control/trail.h).
 *
 * A step costs nothing but a look at a pointer while nobody follows anything. Then FOLLOW_LINES_A_SECOND are told by
 * each shard, and none while its letters wait: the others are counted, and the count stands in the next line.
 * Threads:   the shard's. */
#pragma once

#include "core/name.h"
#include "server/shard/shard.h"

#include <stdbool.h>
#include <stdint.h>

#define FOLLOW_LINES_A_SECOND 200

struct query;

struct follow {
    struct name name; /* its text: */
    char text[NAME_BYTES_MAX];
    uint32_t to;     /* the control shard */
    unsigned number; /* of the trail there */
    uint64_t second; /* on the shard's clock, in which so many were told: */
    uint32_t told;
    uint32_t left_out;
};

/* Does an operator follow this channel? */
static inline bool follow_is_on(const struct shard *shard, const struct name *name)
{
    return shard->follow != NULL && name_equals(&shard->follow->name, name);
}

/* Tells a step of a channel that is followed: members of a JSON object, without a comma in front; printf-like. Cut at
 * FOLLOW_STEP_BYTES_MAX it would be no JSON any more, so it is left out then. */
#define FOLLOW_STEP_BYTES_MAX 1500
__attribute__((format(printf, 2, 3))) void follow_tell(struct shard *shard, const char *format, ...);

/* QUERY_FOLLOW: from now on this channel is followed, and no other; one without a name: none is. Answers. */
void follow_take(struct shard *shard, struct query *query);
