/* server/auth.h - is a client allowed what it asks for? Signatures that an app's backend gave it (HMAC-SHA-256).
 *
 * auth is "KEY:SIGNATURE"; what is signed are pieces with a colon between: socket id, channel, and channel_data if
 * there is any; for sign-in socket id, "::user::" and user_data. Compared in constant time. */
#pragma once

#include "core/text.h"
#include "server/app.h"

/* NULL: it is valid. Otherwise a static sentence that says what is wrong, without telling what would be right. */
const char *auth_check_channel(const struct app *app, struct text auth, struct text socket_id, struct text channel,
                               struct text channel_data);
const char *auth_check_user(const struct app *app, struct text auth, struct text socket_id, struct text user_data);
