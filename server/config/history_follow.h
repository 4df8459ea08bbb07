/* server/config/history_follow.h - rules of history that were read while a server runs by others.
 *
 * Whether a channel is durable is a matter of the store's files, and changes with a restart only: so all rules up to
 * the last that is durable keep their patterns and their order, or else all rules stay as they were. */
#pragma once

#include "server/config/changes.h"
#include "server/config/history_rule.h"

/* As options_follow(). RC_OK or RC_ENOMEM. */
enum rc history_follow(struct history_rule_list *next, const struct history_rule_list *now,
                       bool *has_other_patterns_r, struct changes *changes);
