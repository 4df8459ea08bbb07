/* server/protocol/user.h - users, who are channels: "#server-to-user-ID". */
#pragma once

#include "core/name.h"
#include "core/text.h"

#include <stdbool.h>

#define USER_ID_BYTES_MAX 128

struct app;

/* Is it 1 to USER_ID_BYTES_MAX bytes of UTF-8 without control characters? Signing in takes the ids that presence
 * channels take. */
bool user_id_is_valid(struct text id);
/* The name of the user's channel, which needs escapes in JSON; `memory` holds its text. False: that is no user's id. */
bool user_channel(const struct app *app, struct text user_id, char memory[NAME_BYTES_MAX], struct name *name_r);
