/* server/ctl/ctl_show.h - an answer in JSON as people read it: a line for each value, what belongs together indented,
 * lists of objects as tables. */
#pragma once

#include "core/rc.h"
#include "core/text.h"
#include "net/json.h"

#include <stdio.h>

/* RC_EINVAL: it is no JSON object; RC_ENOMEM. Nothing is written then. Control characters, which clients may have put
 * into names, are shown as \xNN: no terminal obeys them. */
enum rc ctl_show(FILE *out, struct text json);
/* An object as a line: the time "at" (milliseconds since 1970) as the clock shows it, "shard" and "step", the others as
 * name=value, but for "left_out" if that is 0. */
void ctl_show_event(FILE *out, yyjson_val *event);
