/* server/auth.c - checking "KEY:SIGNATURE" against what the app's secret makes of the same pieces. */
#include "server/auth.h"

#include "net/digest.h"

static const char *check(const struct app *app, struct text auth, const struct text pieces[], size_t pieces_count)
{
    char expected[DIGEST_HMAC_HEX_BYTES + 1];
    const char *colon = auth.count > 0 ? memchr(auth.at, ':', auth.count) : NULL;
    if (auth.count == 0) return "Auth info is required: ask your backend for it and send it as auth";
    if (colon == NULL) return "Auth value is invalid: should be of format 'key:signature'";
    if (!text_is(text_between(auth.at, colon), app->key)) return "Invalid key in auth data: it is another app's";
    if (digest_hmac_hex(text_of(app->secret), pieces, pieces_count, expected) != RC_OK) {
        return "The server is out of memory: try again";
    }
    struct text signature = text_between(colon + 1, auth.at + auth.count);
    if (digest_equals(signature, text_of(expected))) return NULL;
    return "Invalid signature: sign socket_id, channel_name and channel_data with the app's secret (HMAC SHA256, "
           "hex)";
}

const char *auth_check_channel(const struct app *app, struct text auth, struct text socket_id, struct text channel,
                               struct text channel_data)
{
    struct text colon = text_of(":");
    struct text pieces[] = {socket_id, colon, channel, colon, channel_data};
    return check(app, auth, pieces, channel_data.at != NULL ? 5 : 3);
}

const char *auth_check_user(const struct app *app, struct text auth, struct text socket_id, struct text user_data)
{
    struct text pieces[] = {socket_id, text_of("::user::"), user_data};
    return check(app, auth, pieces, 3);
}
