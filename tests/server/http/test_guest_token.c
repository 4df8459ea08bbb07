/* tests/server/http/test_guest_token.c - a token is good as it was made, and nothing near it is;
 * and who lets guests in. */
#include "server/http/guest_token.h"

#include "server/config/app.h"
#include "server/config/options_read.h"
#include "server/http/guest.h"

#include <criterion/criterion.h>
#include <string.h>

static char secret[] = "s3cr3t-ringcast-demo", other_secret[] = "s3cr3t-ringcast-demO", none[] = "";
static const struct app app = {.secret = secret, .previous_secret = none};
static const struct app other_app = {.secret = other_secret, .previous_secret = none};
static const struct app both = {.secret = other_secret, .previous_secret = secret};

/* Computed with openssl dgst -sha256 -hmac: of "ringcast-guest" with the secret, then of the id with that. */
#define ID    "g4k2p9x7q1m0z"
#define TOKEN ID ".805c6ae2f1cefa8b6ef2bc72ec73fef152fb258d6b8dad3d1854dc305569960a"

Test(guest_token, ids_are_of_chance_and_of_one_form, .timeout = 10)
{
    char ids[100][GUEST_ID_BYTES];
    for (size_t i = 0; i < 100; i++) {
        guest_id_make(ids[i]);
        cr_expect(guest_id_is_valid((struct text){ids[i], GUEST_ID_BYTES}));
        for (size_t k = 0; k < i; k++)
            cr_expect_neq(memcmp(ids[i], ids[k], GUEST_ID_BYTES), 0);
    }
    static const char *const bad[] = {"",
                                      "g",
                                      "g4k2p9x7q1m0",
                                      "g4k2p9x7q1m0zz",
                                      "h4k2p9x7q1m0z",
                                      "G4k2p9x7q1m0z",
                                      "g4K2p9x7q1m0z",
                                      "g4k2p9x7q1m0,",
                                      "g4k2p9x7q1 0z"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect_not(guest_id_is_valid(text_of(bad[i])), "%s", bad[i]);
    cr_expect_not(guest_id_is_valid((struct text){0}));
}

Test(guest_token, is_the_signature_of_the_id, .timeout = 10)
{
    char token[GUEST_TOKEN_BYTES + 1];
    cr_expect_eq(guest_token_write(&app, text_of(ID), token), RC_OK);
    cr_expect_str_eq(token, TOKEN);
}

Test(guest_token, is_good_as_it_was_made_and_with_nothing_changed, .timeout = 10)
{
    char token[GUEST_TOKEN_BYTES + 2] = "", id[GUEST_ID_BYTES];
    struct text read;
    guest_id_make(id);
    cr_assert_eq(guest_token_write(&app, (struct text){id, sizeof id}, token), RC_OK);
    cr_assert_eq(strlen(token), GUEST_TOKEN_BYTES);
    cr_expect_eq(guest_token_read(&app, text_of(token), &read), RC_OK);
    cr_expect(text_equals(read, (struct text){id, sizeof id}));
    cr_expect_eq(guest_token_read(&other_app, text_of(token), &read), RC_EINVAL, "of another secret");
    cr_expect_eq(guest_token_read(&both, text_of(token), &read), RC_OK, "of the previous one");
    for (size_t i = 0; i < GUEST_TOKEN_BYTES; i++) {
        char kept = token[i];
        token[i] = kept == 'a' ? 'b' : 'a';
        cr_expect_eq(guest_token_read(&app, text_of(token), &read), RC_EINVAL, "character %zu", i);
        token[i] = kept;
        cr_expect_eq(guest_token_read(&app, (struct text){token, i}, &read), RC_EINVAL, "%zu characters", i);
    }
    token[GUEST_TOKEN_BYTES] = '0';
    cr_expect_eq(guest_token_read(&app, text_of(token), &read), RC_EINVAL, "one too long");
    cr_expect_eq(guest_token_read(&app, (struct text){0}, &read), RC_EINVAL);
}

Test(guest_token, guests_may_come_when_asked_or_where_nobody_else_can_be_meant, .timeout = 10)
{
    static const char local[] = "guests may sign in, because every address is on this machine and no app is given; "
                                "if a proxy lets others in, so does it guests: --guests=no keeps them out";
    static const char backend[] =
        "guests are off: an app is given, whose backend lets people in; --guests lets guests "
        "in too";
    static const char asked[] = "guests may sign in, because of --guests";
    static const char off[] = "guests are off: not every address is on this machine; --guests lets them in";
    static const char refused[] = "guests are off, because of --guests=no";
    static const struct {
        const char *words[5];
        bool may;
        const char *why;
    } cases[] = {
        {{"--shards=1"}, false, off}, /* listens everywhere by default */
        {{"--listen=127.0.0.1:0"}, true, local},
        {{"--listen=127.0.0.1:0", "--listen=[::1]:0"}, true, local},
        {{"--listen=127.0.0.1:0", "--listen=*:0"}, false, off},
        {{"--listen=127.0.0.1:0", "--tls-listen=127.0.0.2:0", "--tls-cert=c", "--tls-key=k"}, true, local},
        {{"--listen=127.0.0.1:0", "--tls-listen=[::]:0", "--tls-cert=c", "--tls-key=k"}, false, off},
        {{"--listen=127.0.0.1:0", "--control=*:1"}, true, local},
        {{"--listen=127.0.0.1:0", "--app=1:k:s"}, false, backend},
        {{"--app=1:k:s"}, false, backend},
        {{"--app=1:k:s", "--guests"}, true, asked},
        {{"--guests"}, true, asked},
        {{"--guests", "--listen=127.0.0.1:0"}, true, asked},
        {{"--guests=no"}, false, refused},
        {{"--guests=no", "--listen=127.0.0.1:0"}, false, refused},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[OPTIONS_ERROR_BYTES];
        const char *argv[8] = {"ringcast"}, *why;
        int argc = 1;
        struct options options;
        for (; cases[i].words[argc - 1] != NULL; argc++)
            argv[argc] = cases[i].words[argc - 1];
        cr_assert_eq(options_read(&options, argc, (char *const *)argv, NULL, error, sizeof error), RC_OK, "%s",
                     error);
        cr_expect_eq(guest_policy(&options, &why), cases[i].may, "case %zu", i);
        cr_expect_eq(guest_policy(&options, NULL), cases[i].may);
        cr_expect_str_eq(why, cases[i].why, "case %zu", i);
        options_fini(&options);
    }
}
