/* server/cluster/redis_reader.h - replies of Redis from its bytes: hiredis' reader, within bounds that it lacks itself,
 * and for version 2 of the protocol alone, whichever hiredis it is.
 *
 * hiredis bounds neither how long a line gets, nor how many elements a reply says it has, for which it makes room at
 * once, nor, in 1.x, how deep they are nested, over which it recurses to free them.
 * Threads:   one.
 * Ownership: replies are the caller's, freeReplyObject() gives them back.
 * Bounds:    what has been read of a reply, and the objects made of it, by bytes_max; a line by
 *            REDIS_LINE_BYTES_MAX; arrays in arrays by REDIS_DEPTH_MAX. */
#pragma once

#include "core/rc.h"

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REDIS_LINE_BYTES_MAX = 65536,
    REDIS_DEPTH_MAX = 7, /* what hiredis 0.14 takes, too */
};

struct redis_reader;

/* NULL: out of memory. Free accepts NULL. */
struct redis_reader *redis_reader_new(size_t bytes_max);
void redis_reader_free(struct redis_reader *reader);

/* Adds bytes; call redis_reader_next() until it says MORE before the next ones, and give at most some ten thousand at
 * once. RC_OK, RC_ENOMEM. */
enum rc redis_reader_feed(struct redis_reader *reader, const void *bytes, size_t count);
/* The next reply. RC_OK, or RC_MORE: none has come whole. RC_EPROTO, RC_ETOOBIG, RC_ENOMEM: nothing will come any
 * more, it stays so. */
enum rc redis_reader_next(struct redis_reader *reader, redisReply **reply_r);
/* What is wrong, in a few words, after an error; else "". The reader's. */
const char *redis_reader_fault(const struct redis_reader *reader);
