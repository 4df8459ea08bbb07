/* server/cluster/people_serve.h - members, numbers and sums of a channel: to Redis, and to its home. */
#pragma once

#include "server/cluster/people_state.h"

#include <stdbool.h>
#include <stdint.h>

/* Does for the channel what can be done now. False: it could not be sent, or told. */
bool people_serve(struct people *people, struct people_channel *channel);
/* Tells the home the sum. */
bool people_tell_sum(struct people *people, struct people_channel *channel, uint64_t sum);
/* Tells it to close its user's connections. */
void people_tell_terminate(struct people *people, const struct people_channel *channel);
/* When there is more to be done for it; UINT64_MAX: not before something comes. */
uint64_t people_serve_due_ms(const struct people_channel *channel);
/* Is nothing of this node's left there, and nobody reads it? */
bool people_is_unused(const struct people_channel *channel);
