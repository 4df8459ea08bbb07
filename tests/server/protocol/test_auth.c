/* tests/server/protocol/test_auth.c - only what the app's secret made of exactly these pieces lets a client in.
 *
 * Method: the computed examples of the Pusher protocol, cross-checked with the official SDKs; then each piece wrong
 * by itself. */
#include "server/protocol/auth.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define KEY    "rcdemo4f2a9c71"
#define SECRET "s3cr3t-ringcast-demo"
#define SOCKET "123.456"
#define MEMBER "{\"user_id\":\"42\",\"user_info\":{\"name\":\"Ann\"}}"
#define USER   "{\"id\":\"42\",\"user_info\":{\"name\":\"Ann\"},\"watchlist\":[\"7\"]}"

#define PRIVATE_SIGNATURE   "6c338e928590b1f52c0f57bd472ff291af9096403ab786a2747c70235b1bda89"
#define PRESENCE_SIGNATURE  "f640c989aa772323d936db44a5b9684c9c4fb8c9caf8dba8d721fb3c0a0cb59f"
#define USER_SIGNATURE      "0b88c3b458a0242bfe27370de05aefb5a5f277fadc699a5af789ef0bae6d4309"
#define ENCRYPTED_SIGNATURE "a80b506975c221141e73c82d2bb92b0efea88128baedb1aeb24b8381681cae2c"

static char key[] = KEY, secret[] = SECRET, none[] = "";
static const struct app app = {.key = key, .secret = secret, .previous_secret = none};

static struct text text_or_none(const char *text)
{
    return text != NULL ? text_of(text) : (struct text){0};
}

Test(auth, lets_in_who_is_signed_for, .timeout = 10)
{
    static const struct {
        const char *auth, *channel, *channel_data;
    } rows[] = {
        {KEY ":" PRIVATE_SIGNATURE, "private-room-7", NULL},
        {KEY ":" PRESENCE_SIGNATURE, "presence-room-7", MEMBER},
        {KEY ":" ENCRYPTED_SIGNATURE, "private-encrypted-room-7", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *wrong = auth_check_channel(&app, text_of(rows[i].auth), text_of(SOCKET), text_of(rows[i].channel),
                                               text_or_none(rows[i].channel_data));
        cr_expect_null(wrong, "%s: %s", rows[i].channel, wrong);
    }
    cr_expect_null(auth_check_user(&app, text_of(KEY ":" USER_SIGNATURE), text_of(SOCKET), text_of(USER)));
}

Test(auth, made_here_is_what_an_sdk_makes, .timeout = 10)
{
    char auth[AUTH_BYTES_MAX];
    cr_expect_eq(auth_sign_channel(&app, text_of(SOCKET), text_of("private-room-7"), (struct text){0}, auth), RC_OK);
    cr_expect_str_eq(auth, KEY ":" PRIVATE_SIGNATURE);
    cr_expect_eq(auth_sign_channel(&app, text_of(SOCKET), text_of("presence-room-7"), text_of(MEMBER), auth), RC_OK);
    cr_expect_str_eq(auth, KEY ":" PRESENCE_SIGNATURE);
    cr_expect_eq(auth_sign_user(&app, text_of(SOCKET), text_of(USER), auth), RC_OK);
    cr_expect_str_eq(auth, KEY ":" USER_SIGNATURE);
}

Test(auth, refuses_what_is_not_signed_exactly_so, .timeout = 10)
{
    static const struct {
        const char *auth, *socket, *channel, *channel_data, *words;
    } rows[] = {
        {NULL, SOCKET, "private-room-7", NULL, "required"},
        {"", SOCKET, "private-room-7", NULL, "required"},
        {PRIVATE_SIGNATURE, SOCKET, "private-room-7", NULL, "format 'key:signature'"},
        {KEY, SOCKET, "private-room-7", NULL, "format 'key:signature'"},
        {":" PRIVATE_SIGNATURE, SOCKET, "private-room-7", NULL, "Invalid key"},
        {"rcdemo4f2a9c7:" PRIVATE_SIGNATURE, SOCKET, "private-room-7", NULL, "Invalid key"},
        {KEY "0:" PRIVATE_SIGNATURE, SOCKET, "private-room-7", NULL, "Invalid key"},
        {"RCDEMO4F2A9C71:" PRIVATE_SIGNATURE, SOCKET, "private-room-7", NULL, "Invalid key"},
        {" " KEY ":" PRIVATE_SIGNATURE, SOCKET, "private-room-7", NULL, "Invalid key"},
        {KEY ":", SOCKET, "private-room-7", NULL, "Invalid signature"},
        {KEY "::" PRIVATE_SIGNATURE, SOCKET, "private-room-7", NULL, "Invalid signature"},
        {KEY ":" PRIVATE_SIGNATURE "0", SOCKET, "private-room-7", NULL, "Invalid signature"},
        {KEY ":" PRIVATE_SIGNATURE " ", SOCKET, "private-room-7", NULL, "Invalid signature"},
        {KEY ":6c338e928590b1f52c0f57bd472ff291af9096403ab786a2747c70235b1bda8", SOCKET, "private-room-7", NULL,
         "Invalid signature"},
        {KEY ":6C338E928590B1F52C0F57BD472FF291AF9096403AB786A2747C70235B1BDA89", SOCKET, "private-room-7", NULL,
         "Invalid signature"},
        {KEY ":7c338e928590b1f52c0f57bd472ff291af9096403ab786a2747c70235b1bda89", SOCKET, "private-room-7", NULL,
         "Invalid signature"},
        {KEY ":" PRIVATE_SIGNATURE, "123.457", "private-room-7", NULL, "Invalid signature"},
        {KEY ":" PRIVATE_SIGNATURE, "123.45", "private-room-7", NULL, "Invalid signature"},
        {KEY ":" PRIVATE_SIGNATURE, SOCKET, "private-room-8", NULL, "Invalid signature"},
        {KEY ":" PRIVATE_SIGNATURE, SOCKET, "private-room-77", NULL, "Invalid signature"},
        {KEY ":" PRIVATE_SIGNATURE, SOCKET, "Private-room-7", NULL, "Invalid signature"},
        {KEY ":" PRIVATE_SIGNATURE, SOCKET, "private-room-7", "", "Invalid signature"},
        {KEY ":" PRIVATE_SIGNATURE, SOCKET, "private-room-7", MEMBER, "Invalid signature"},
        {KEY ":" PRESENCE_SIGNATURE, SOCKET, "presence-room-7", NULL, "Invalid signature"},
        {KEY ":" PRESENCE_SIGNATURE, SOCKET, "presence-room-7", "", "Invalid signature"},
        {KEY ":" PRESENCE_SIGNATURE, SOCKET, "presence-room-7",
         "{\"user_id\":\"43\",\"user_info\":{\"name\":\"Ann\"}}", "Invalid signature"},
        {KEY ":" PRESENCE_SIGNATURE, SOCKET, "presence-room-7", MEMBER " ", "Invalid signature"},
        {KEY ":" USER_SIGNATURE, SOCKET, "private-room-7", NULL, "Invalid signature"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *wrong = auth_check_channel(&app, text_or_none(rows[i].auth), text_of(rows[i].socket),
                                               text_of(rows[i].channel), text_or_none(rows[i].channel_data));
        cr_assert_not_null(wrong, "row %zu", i);
        cr_expect_not_null(strstr(wrong, rows[i].words), "row %zu: %s", i, wrong);
        cr_expect_null(strstr(wrong, SECRET));
        cr_expect_null(strstr(wrong, PRIVATE_SIGNATURE), "what would be right is not told");
    }
}

Test(auth, refuses_another_apps_signature, .timeout = 10)
{
    char other_secret[] = SECRET "x", other_key[] = "other";
    struct app other = {.key = key, .secret = other_secret, .previous_secret = none};
    struct text auth = text_of(KEY ":" PRIVATE_SIGNATURE), channel = text_of("private-room-7");
    cr_expect_not_null(auth_check_channel(&other, auth, text_of(SOCKET), channel, (struct text){0}));
    other = (struct app){.key = other_key, .secret = secret, .previous_secret = none};
    cr_expect_not_null(auth_check_channel(&other, auth, text_of(SOCKET), channel, (struct text){0}));
}

/* While secrets are changed: both let in, the new one signs. */
Test(auth, of_the_previous_secret_is_good_too_and_the_other_one_signs, .timeout = 10)
{
    char new_secret[] = "another", auth[AUTH_BYTES_MAX];
    const struct app both = {.key = key, .secret = new_secret, .previous_secret = secret};
    const struct text channel = text_of("private-room-7"), no_data = {0};
    cr_expect_null(auth_check_channel(&both, text_of(KEY ":" PRIVATE_SIGNATURE), text_of(SOCKET), channel, no_data));
    cr_expect_null(auth_check_user(&both, text_of(KEY ":" USER_SIGNATURE), text_of(SOCKET), text_of(USER)));
    cr_assert_eq(auth_sign_channel(&both, text_of(SOCKET), channel, no_data, auth), RC_OK);
    cr_expect_str_neq(auth, KEY ":" PRIVATE_SIGNATURE);
    cr_expect_null(auth_check_channel(&both, text_of(auth), text_of(SOCKET), channel, no_data));
    cr_expect_not_null(auth_check_channel(&app, text_of(auth), text_of(SOCKET), channel, no_data));
    cr_expect_not_null(
        auth_check_channel(&both, text_of(KEY ":" PRESENCE_SIGNATURE), text_of(SOCKET), channel, no_data));
}

Test(auth, of_sign_in_covers_socket_and_user_data, .timeout = 10)
{
    static const struct {
        const char *auth, *socket, *user_data;
    } rows[] = {
        {"", SOCKET, USER},
        {KEY "::user::" USER_SIGNATURE, SOCKET, USER}, /* as one page of the official documentation shows it */
        {"other:" USER_SIGNATURE, SOCKET, USER},
        {KEY ":" PRESENCE_SIGNATURE, SOCKET, USER},
        {KEY ":" USER_SIGNATURE, "123.4567", USER},
        {KEY ":" USER_SIGNATURE, SOCKET, USER " "},
        {KEY ":" USER_SIGNATURE, SOCKET, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_not_null(
            auth_check_user(&app, text_of(rows[i].auth), text_of(rows[i].socket), text_of(rows[i].user_data)),
            "row %zu", i);
    }
}
