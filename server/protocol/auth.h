/* server/protocol/auth.h - is a client allowed what it asks for? Signatures that an app's backend gave it
 * (HMAC-SHA-256); and the same made here, for clients that have no backend.
 *
 * auth is "KEY:SIGNATURE"; what is signed are pieces with a colon between: socket id, channel, and channel_data if
 * there is any; for sign-in socket id, "::user::" and user_data. Compared in constant time. */
#pragma once

#include "core/text.h"
#include "server/config/app.h"

#define AUTH_BYTES_MAX (APP_TOKEN_BYTES_MAX + 1 + 64 + 1) /* of an auth, with its closing zero */

/* NULL: it is valid. auth_no_memory: that could not be found out. Otherwise a static sentence that says what is wrong,
 * without telling what would be right. */
extern const char auth_no_memory[];
const char *auth_check_channel(const struct app *app, struct text auth, struct text socket_id, struct text channel,
                               struct text channel_data);
const char *auth_check_user(const struct app *app, struct text auth, struct text socket_id, struct text user_data);

/* Writes the auth that is valid. The pieces must be what they are called, a socket id and a channel's name: then
 * nobody gets another text signed. channel_data with at == NULL: none. RC_ENOMEM. */
enum rc auth_sign_channel(const struct app *app, struct text socket_id, struct text channel, struct text channel_data,
                          char auth_r[AUTH_BYTES_MAX]);
enum rc auth_sign_user(const struct app *app, struct text socket_id, struct text user_data,
                       char auth_r[AUTH_BYTES_MAX]);
