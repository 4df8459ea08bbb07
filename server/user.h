/* server/user.h - users, who are channels: "#server-to-user-ID". */
#pragma once

#include "core/name.h"
#include "core/text.h"

#include <stdbool.h>

#define USER_ID_BYTES_MAX 128

struct app;

/* The name of the user's channel; `memory` holds its text. False: that is no user's id. */
bool user_channel(const struct app *app, struct text user_id, char memory[NAME_BYTES_MAX], struct name *name_r);
