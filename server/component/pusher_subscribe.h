/* server/component/pusher_subscribe.h - subscribing to channels, and how often that may be. */
#pragma once

#include "core/text.h"

#include <stdbool.h>

struct command;
struct join;
struct subscription;

/* The connection's subscription, in which the home has let it; NULL: none. */
const struct subscription *pusher_subscription(const struct command *command, struct text channel);
/* Counts a subscription, or a question as expensive; true: it is one too many. */
bool pusher_asks_too_fast(const struct command *command);
void pusher_subscribe(const struct command *command);
void pusher_unsubscribe(const struct command *command);
void pusher_subscribe_refused(const struct command *command, const struct join *join);
