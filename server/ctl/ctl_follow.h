/* server/ctl/ctl_follow.h - a command that is asked for again and again, and what comes shown as it comes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct ctl_call;

/* Returns when the server ends it, or cannot be reached, or stdout cannot be written: an enum ctl_exit; reason_r has a
 * sentence. The call has two places left for parameters. */
int ctl_follow(const struct ctl_call *call, bool is_json, char *reason_r, size_t reason_size);
