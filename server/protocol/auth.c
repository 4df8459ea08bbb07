/* server/protocol/auth.c - "KEY:SIGNATURE" of pieces by an app's secret: made, and compared with what came. */
#include "server/protocol/auth.h"

#include "net/digest.h"

_Static_assert(AUTH_BYTES_MAX == APP_TOKEN_BYTES_MAX + 1 + DIGEST_HMAC_HEX_BYTES + 1, "an auth fits");

const char auth_no_memory[] = "The server is out of memory: try again";

/* What is signed. */
struct pieces {
    struct text items[5];
    size_t count;
    const char *wrong; /* what is said when the signature is of something else */
};

static struct pieces pieces_of_channel(struct text socket_id, struct text channel, struct text channel_data)
{
    struct text colon = text_of(":");
    return (struct pieces){.items = {socket_id, colon, channel, colon, channel_data},
                           .count = channel_data.at != NULL ? 5 : 3,
                           .wrong = "Invalid signature: sign socket_id, channel_name and channel_data with the app's "
                                    "secret (HMAC SHA256, hex)"};
}

static struct pieces pieces_of_user(struct text socket_id, struct text user_data)
{
    return (struct pieces){.items = {socket_id, text_of("::user::"), user_data},
                           .count = 3,
                           .wrong = "Invalid signature: sign socket_id, ::user:: and user_data with the app's secret "
                                    "(HMAC SHA256, hex)"};
}

static const char *check_signature(const struct app *app, struct text signature, struct pieces pieces)
{
    char expected[DIGEST_HMAC_HEX_BYTES + 1];
    const char *secret;
    for (uint32_t i = 0; (secret = app_secret(app, i)) != NULL; i++) {
        if (digest_hmac_hex(text_of(secret), pieces.items, pieces.count, expected) != RC_OK) return auth_no_memory;
        if (digest_equals(signature, text_of(expected))) return NULL;
    }
    return pieces.wrong;
}

static const char *check(const struct app *app, struct text auth, struct pieces pieces)
{
    const char *colon = auth.count > 0 ? memchr(auth.at, ':', auth.count) : NULL;
    if (auth.count == 0) return "Auth info is required: ask your backend for it and send it as auth";
    if (colon == NULL) return "Auth value is invalid: should be of format 'key:signature'";
    if (!text_is(text_between(auth.at, colon), app->key)) return "Invalid key in auth data: it is another app's";
    return check_signature(app, text_between(colon + 1, auth.at + auth.count), pieces);
}

static enum rc sign(const struct app *app, struct pieces pieces, char auth_r[AUTH_BYTES_MAX])
{
    char *to = text_put(auth_r, text_of(app->key));
    *to++ = ':';
    return digest_hmac_hex(text_of(app->secret), pieces.items, pieces.count, to);
}

const char *auth_check_channel(const struct app *app, struct text auth, struct text socket_id, struct text channel,
                               struct text channel_data)
{
    return check(app, auth, pieces_of_channel(socket_id, channel, channel_data));
}

const char *auth_check_user(const struct app *app, struct text auth, struct text socket_id, struct text user_data)
{
    return check(app, auth, pieces_of_user(socket_id, user_data));
}

enum rc auth_sign_channel(const struct app *app, struct text socket_id, struct text channel, struct text channel_data,
                          char auth_r[AUTH_BYTES_MAX])
{
    return sign(app, pieces_of_channel(socket_id, channel, channel_data), auth_r);
}

enum rc auth_sign_user(const struct app *app, struct text socket_id, struct text user_data,
                       char auth_r[AUTH_BYTES_MAX])
{
    return sign(app, pieces_of_user(socket_id, user_data), auth_r);
}
