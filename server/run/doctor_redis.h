/* server/run/doctor_redis.h - the Redis that connects this node with others, judged before a start.
 *
 * One thread; waits for Redis, for some times redis_silent_ms_max at most. Nothing is written there: what may write is
 * asked in words that change nothing. */
#pragma once

#include "server/config/options.h"
#include "server/run/findings.h"

/* Adds what it finds; nothing without --redis. */
void doctor_look_at_redis(const struct options *options, struct findings *findings);
