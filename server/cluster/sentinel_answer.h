/* server/cluster/sentinel_answer.h - what a Sentinel says of a master. Plain values; any thread. */
#pragma once

#include "core/rc.h"
#include "server/config/redis_url.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>

struct sentinel_answer {
    struct redis_place place;
    uint64_t epoch; /* of its configuration: whoever has been made master later has a higher one */
};

/* Reads the reply to SENTINEL MASTER NAME: names and values in turn. RC_OK; RC_ENOENT: the Sentinel does not know the
 * name; RC_EPROTO: it is no such reply. */
enum rc sentinel_answer_read(const redisReply *reply, struct sentinel_answer *answer_r);
/* Of these the one that counts; of those with the same epoch the first. NULL: none is known. */
const struct sentinel_answer *sentinel_answer_best(const struct sentinel_answer *answers, const bool *are_known,
                                                   uint32_t count);
