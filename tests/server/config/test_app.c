/* tests/server/config/test_app.c - an app has the credentials and settings that were given, or one line says what to
 * give, and never with the secret in it. */
#include "server/config/options_read.h"

#include <criterion/criterion.h>
#include <string.h>

static char error[OPTIONS_ERROR_BYTES];

#define CHARACTERS_63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define CHARACTERS_64 CHARACTERS_63 "b"
#define EVENTS                                                                                                 \
    "channel_occupied channel_vacated member_added member_removed client_event cache_miss subscription_count " \
    "room_message"

/* Reads --app with each word up to NULL, and RINGCAST_APP unless it is NULL. */
static enum rc read_apps(struct options *options, const char *const words[], const char *variable)
{
    const char *argv[64] = {"ringcast"};
    const char *envp[2] = {variable};
    int argc = 1;
    for (; *words != NULL; words++) {
        argv[argc++] = "--app";
        argv[argc++] = *words;
    }
    return options_read(options, argc, (char *const *)argv, (char *const *)envp, error, sizeof error);
}

static enum rc read_app(struct options *options, const char *word)
{
    return read_apps(options, (const char *const[]){word, NULL}, NULL);
}

Test(app, without_settings_has_the_defaults, .timeout = 10)
{
    struct options options;
    cr_assert_eq(read_app(&options, "1001:a-key:a-secret"), RC_OK, "%s", error);
    cr_assert_eq(options.app.count, 1);
    const struct app *app = &options.app.items[0];
    cr_expect_eq(app->index, 0);
    cr_expect_str_eq(app->id, "1001");
    cr_expect_str_eq(app->key, "a-key");
    cr_expect_str_eq(app->secret, "a-secret");
    cr_expect_eq(app->enabled, true);
    cr_expect_eq(app->tls_only, false);
    cr_expect_eq(app->client_events, true);
    cr_expect_eq(app->client_events_per_second, 10);
    cr_expect_eq(app->subscription_counts, false);
    cr_expect_eq(app->watchlist, false);
    cr_expect_eq(app->connections_max, 0);
    cr_expect_eq(app->channels_max, 100);
    cr_expect_eq(app->sign_in_ms_max, 0);
    cr_expect_eq(app->event_bytes_max, 10 * KIB);
    cr_expect_eq(app->batch_max, 10);
    cr_expect_eq(app->members_max, 10000);
    cr_expect_eq(app->member_bytes_max, 2 * KIB);
    cr_expect_eq(app->cache_ms, 1800000);
    cr_expect_str_eq(app->webhook, "");
    cr_expect_str_eq(app->webhook_channel_prefix, "");
    cr_expect_str_eq(app->webhook_channel_suffix, "");
    cr_expect_eq(app->webhook_header.count, 0);
    cr_expect_str_eq(app->previous_secret, "");
    cr_expect_null(app_secret(app, 1));
    for (enum webhook_kind kind = 0; kind < WEBHOOK_KINDS_MAX; kind++) {
        cr_expect_eq((app->webhook_events >> kind & 1) != 0,
                     kind != WEBHOOK_subscription_count && kind != WEBHOOK_room_message);
        cr_expect_not(app_has_webhook(app, kind), "none without an address");
    }
    options_fini(&options);
}

Test(app, settings_are_taken_in_both_spellings_and_the_last_one_counts, .timeout = 10)
{
    struct options options;
    cr_assert_eq(read_app(&options,
                          " 1001:k:s\tenabled=no  tls-only=yes client_events=0 client-events_per-second=25\n"
                          "subscription_counts=yes watchlist=true connections_max=5000 channels_max=1 "
                          "channels_max=7 event-bytes-max=64KiB batch_max=20 members_max=500 cache_ms=1h "
                          "member_bytes_max=3000 webhook=HTTPS://example.com/hook?a=b:c,d "
                          "webhook_events=channel_vacated,subscription_count "),
                 RC_OK, "%s", error);
    cr_assert_eq(options.app.count, 1);
    const struct app *app = &options.app.items[0];
    cr_expect_str_eq(app->id, "1001");
    cr_expect_str_eq(app->secret, "s");
    cr_expect_eq(app->enabled, false);
    cr_expect_eq(app->tls_only, true);
    cr_expect_eq(app->client_events, false);
    cr_expect_eq(app->client_events_per_second, 25);
    cr_expect_eq(app->subscription_counts, true);
    cr_expect_eq(app->watchlist, true);
    cr_expect_eq(app->connections_max, 5000);
    cr_expect_eq(app->channels_max, 7);
    cr_expect_eq(app->event_bytes_max, 64 * KIB);
    cr_expect_eq(app->batch_max, 20);
    cr_expect_eq(app->members_max, 500);
    cr_expect_eq(app->member_bytes_max, 3000);
    cr_expect_eq(app->cache_ms, 3600000);
    cr_expect_str_eq(app->webhook, "HTTPS://example.com/hook?a=b:c,d");
    for (enum webhook_kind kind = 0; kind < WEBHOOK_KINDS_MAX; kind++)
        cr_expect_eq(app_has_webhook(app, kind),
                     kind == WEBHOOK_channel_vacated || kind == WEBHOOK_subscription_count, "%s",
                     webhook_kind_name(kind));
    options_fini(&options);
}

Test(app, credentials_are_taken_up_to_their_bounds, .timeout = 10)
{
    static const struct {
        const char *given, *id, *key, *secret;
    } cases[] = {
        {"1:2:3", "1", "2", "3"},
        {"Ab_9-:-:~!\"#", "Ab_9-", "-", "~!\"#"},
        {"a:b:c:d:", "a", "b", "c:d:"},
        {"a:b::", "a", "b", ":"},
        {"a:b:c=d;e,f", "a", "b", "c=d;e,f"},
        {CHARACTERS_64 ":" CHARACTERS_64 ":" CHARACTERS_64 CHARACTERS_64, CHARACTERS_64, CHARACTERS_64,
         CHARACTERS_64 CHARACTERS_64},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        cr_assert_eq(read_app(&options, cases[i].given), RC_OK, "%s", error);
        cr_assert_eq(options.app.count, 1);
        cr_expect_str_eq(options.app.items[0].id, cases[i].id);
        cr_expect_str_eq(options.app.items[0].key, cases[i].key);
        cr_expect_str_eq(options.app.items[0].secret, cases[i].secret);
        options_fini(&options);
    }
}

Test(app, webhook_events_are_words_with_commas_between, .timeout = 10)
{
    static const struct {
        const char *given;
        option_webhooks kinds;
    } cases[] = {
        {"default", 0x3f},
        {"all", 0x7f}, /* of the protocol */
        {"room_message", 0x80},
        {"all,room_message", 0xff},
        {"none", 0},
        {"default,subscription_count", 0x7f},
        {"cache_miss", 1 << WEBHOOK_cache_miss},
        {"member_added,member_removed,member_added", 1 << WEBHOOK_member_added | 1 << WEBHOOK_member_removed},
        {"client_event,channel_occupied", 1 << WEBHOOK_client_event | 1 << WEBHOOK_channel_occupied},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        char word[200];
        snprintf(word, sizeof word, "1:k:s webhook_events=%s", cases[i].given);
        cr_assert_eq(read_app(&options, word), RC_OK, "%s", error);
        cr_expect_eq(options.app.items[0].webhook_events, cases[i].kinds, "%s", cases[i].given);
        options_fini(&options);
    }
}

/* The secrets of all cases hold "Geheim", so that a look for it tells whether one was shown. */
Test(app, mistakes_are_told_with_their_cure_and_without_the_secret, .timeout = 10)
{
    static const char missing[] = "an app's ID, key or secret is missing; give ID:KEY:SECRET, then its settings";
    static const char no_id[] = "the ID is not valid; give 1 to 64 characters of A-Z a-z 0-9 _ -";
    static const char no_key[] = "key of 1: not valid; give 1 to 64 characters of A-Z a-z 0-9 _ -";
    static const char no_secret[] =
        "secret of 1: not valid; give 1 to 128 printable characters without blank, or @FILE";
    static const char no_header[] =
        "webhook_header of 1: entry 1 is no header; give NAME:VALUE, as Authorization: Bearer TOKEN";
    static const char without_id[] = "the ID is missing; give 1 to 64 characters of A-Z a-z 0-9 _ -";
    static const char without_key[] = "app 1 has no key; each needs a key and a secret";
    static const char without_secret[] = "app 1 has no secret; each needs a key and a secret";
    static const char no_value[] =
        "a setting of 1 has no value; give name=value, and no blanks in the secret or in values";
    static const struct {
        const char *words[3];
        const char *error;
    } cases[] = {
        {{""}, missing},
        {{"  "}, missing},
        {{"Geheim"}, missing},
        {{"k:Geheim"}, missing},
        {{"1 :k:Geheim"}, missing},
        {{":k:Geheim"}, without_id},
        {{"1.0:k:Geheim"}, no_id},
        {{CHARACTERS_64 "c:k:Geheim"}, no_id},
        {{"\xc3\xa4:k:Geheim"}, no_id},
        {{"1::Geheim"}, without_key},
        {{"1:k/k:Geheim"}, no_key},
        {{"1:" CHARACTERS_64 "c:Geheim"}, no_key},
        {{"1:k:"}, without_secret},
        {{"1:k: Geheim"}, without_secret},
        {{"1:k:Geheim previous_secret=Geheim\xc3\xa4"},
         "previous_secret of 1: not valid; give 1 to 128 printable characters without blank, or @FILE"},
        {{"1:k:@/missing"},
         "secret of 1: /missing cannot be read: No such file or directory; check its path and who may "
         "read it"},
        {{"1:k:Geheim\x7f"}, no_secret},
        {{"1:k:Geheim\xc3\xa4"}, no_secret},
        {{"1:k:Geheim\x1b[2J"}, no_secret},
        {{"1:k:Geheim6" CHARACTERS_64 CHARACTERS_64}, no_secret},
        {{"1:k:Ganz Geheim"}, no_value},
        {{"1:k:Geheim watchlist"}, no_value},
        {{"1:k:Geheim watchlist = yes"}, no_value},
        {{"1:k:Geheim =yes"}, "unknown setting \"\" of 1; see --help"},
        {{"1:k:Geheim Watch_list=yes"}, "unknown setting \"Watch_list\" of 1; did you mean watchlist? See --help"},
        {{"1:k:Geheim member-max=5"}, "unknown setting \"member-max\" of 1; did you mean members_max? See --help"},
        {{"1:k:Geheim colour=red"}, "unknown setting \"colour\" of 1; see --help"},
        {{"1:k:Geheim enabled="}, "enabled of 1: \"\" is neither yes nor no; give one of them"},
        {{"1:k:Geheim tls_only=maybe"}, "tls_only of 1: \"maybe\" is neither yes nor no; give one of them"},
        {{"1:k:Geheim channels-max=0"}, "channels_max of 1: \"0\" is out of bounds; give 1 to 1000"},
        {{"1:k:Geheim members_max=many"}, "members_max of 1: \"many\" is not a number; give 1 to 1000000"},
        {{"1:k:Geheim member_bytes_max=1"}, "member_bytes_max of 1: \"1\" is out of bounds; give 2 to 64KiB"},
        {{"1:k:Geheim cache_ms=25h"}, "cache_ms of 1: \"25h\" is out of bounds; give 1s to 1d"},
        {{"1:k:Geheim webhook=ftp://a/"},
         "webhook of 1: \"ftp...\" is no web address; give http://... or https://..."},
        {{"1:k:Geheim webhook=ftp://anna:password@host/a"},
         "webhook of 1: \"ftp...\" is no web address; give http://... or https://..."},
        {{"1:k:Geheim webhook=http://"},
         "webhook of 1: \"http...\" is no web address; give http://... or https://..."},
        {{"1:k:Geheim webhook=https:///a"},
         "webhook of 1: \"https...\" is no web address; give http://... or https://..."},
        {{"1:k:Geheim webhook_events="},
         "webhook_events of 1: \"\" is no webhook event; give default, all, none or, with commas between, " EVENTS},
        {{"1:k:Geheim webhook_events=cache_miss,"},
         "webhook_events of 1: \"\" is no webhook event; give default, all, none or, with commas between, " EVENTS},
        {{"1:k:Geheim webhook_events=all,cache_mis"},
         "webhook_events of 1: \"cache_mis\" is no webhook event; give default, all, none or, with commas "
         "between, " EVENTS},
        {{"1:k:Geheim webhook_header=Geheim"}, no_header},
        {{"1:k:Geheim webhook_header=:Geheim"}, no_header},
        {{"1:k:Geheim webhook_header=X-A:"}, no_header},
        {{"1:k:Geheim webhook_header=X/A:Geheim"}, no_header},
        {{"1:k:Geheim webhook_header=X-A:Geheim\x1b"}, no_header},
        {{"1:k:Geheim webhook_header=x-pusher-key:Geheim"},
         "webhook_header of 1: x-pusher-key is the server's own; give others"},
        {{"1:k:Geheim", "1:l:Geheim"}, "the ID 1 is there twice; give each app its own"},
        {{"1:k:Geheim", "2:k:Geheim"}, "the key of 2 is another app's too; give each app its own"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        char expected[OPTIONS_ERROR_BYTES];
        snprintf(expected, sizeof expected, "--app: %s", cases[i].error);
        cr_expect_eq(read_apps(&options, cases[i].words, NULL), RC_EINVAL, "%s", cases[i].words[0]);
        cr_expect_str_eq(error, expected);
        cr_expect_null(strstr(error, "Geheim"));
        cr_expect_null(options.app.items, "nothing is left to give back");
    }
}

Test(app, the_longest_error_is_told_whole, .timeout = 10)
{
    struct options options;
    cr_expect_eq(read_apps(&options, (const char *const[]){NULL},
                           "RINGCAST_APP=" CHARACTERS_64 ":k:s webhook_events=" CHARACTERS_64),
                 RC_EINVAL);
    cr_expect_not_null(strstr(error, EVENTS));
    char address[2200] = "1:k:s webhook=http://";
    memset(address + strlen(address), 'a', 2000);
    cr_expect_eq(read_app(&options, address), RC_EINVAL);
    cr_expect_str_eq(error, "--app: webhook of 1: longer than 2000 characters; give a shorter one");
}

Test(app, in_the_environment_stands_behind_semicolons, .timeout = 10)
{
    static const char *const none[] = {NULL};
    static const char variable[] =
        "RINGCAST_APP=1:a:s webhook_events=cache_miss,client_event members_max=5; ;\n 2:b:t ;";
    struct options options;
    cr_assert_eq(read_apps(&options, none, variable), RC_OK, "%s", error);
    cr_assert_eq(options.app.count, 2);
    cr_expect_str_eq(options.app.items[0].secret, "s");
    cr_expect_eq(options.app.items[0].members_max, 5);
    cr_expect_eq(options.app.items[0].webhook_events, 1 << WEBHOOK_cache_miss | 1 << WEBHOOK_client_event);
    cr_expect_eq(options.app.items[1].index, 1);
    cr_expect_str_eq(options.app.items[1].id, "2");
    cr_expect_str_eq(options.app.items[1].secret, "t");
    options_fini(&options);

    cr_assert_eq(read_apps(&options, (const char *const[]){"1:c:u", NULL}, variable), RC_OK, "%s", error);
    cr_assert_eq(options.app.count, 1, "flags replace the environment");
    cr_expect_str_eq(options.app.items[0].key, "c");
    options_fini(&options);

    cr_expect_eq(read_apps(&options, none, "RINGCAST_APP=1:a:s;1:b:t"), RC_EINVAL);
    cr_expect_str_eq(error, "RINGCAST_APP: the ID 1 is there twice; give each app its own");
}

/* How many different characters, all of them small letters or digits. */
static size_t variety(const char *text)
{
    size_t count = 0;
    cr_expect_eq(strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789"), strlen(text), "%s", text);
    for (size_t i = 0; text[i] != '\0'; i++)
        count += strchr(text, text[i]) == text + i;
    return count;
}

Test(app, of_the_servers_own_is_there_when_none_is_given, .timeout = 10)
{
    static const char *const none[] = {NULL};
    static const char *const variables[] = {NULL, "RINGCAST_APP=", "RINGCAST_APP=; ;"};
    char keys[3][64];
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        struct options options;
        cr_assert_eq(read_apps(&options, none, variables[i]), RC_OK, "%s", error);
        cr_assert_eq(options.app.count, 1);
        const struct app *app = &options.app.items[0];
        cr_expect_eq(app->index, APP_OF_ROOMS);
        cr_expect_str_eq(app->id, "rooms");
        cr_expect_eq(strlen(app->key), 20);
        cr_expect_eq(strlen(app->secret), 32);
        cr_expect_gt(variety(app->key), 4, "%s", app->key);
        cr_expect_gt(variety(app->secret), 8, "%s", app->secret);
        cr_expect(app->enabled && app->client_events && app->channels_max == 100, "with the defaults");
        snprintf(keys[i], sizeof keys[i], "%s%s", app->key, app->secret);
        for (size_t k = 0; k < i; k++)
            cr_expect_str_neq(keys[i], keys[k]);
        options_fini(&options);
    }
}

Test(app, is_found_by_its_id_and_by_its_key, .timeout = 10)
{
    struct options options;
    cr_assert_eq(read_apps(&options, (const char *const[]){"1:a:s", "10:ab:t", "b:1:u", NULL}, NULL), RC_OK, "%s",
                 error);
    static const struct {
        const char *text;
        uint32_t by_id, by_key; /* index, 9: none */
    } cases[] = {{"1", 0, 2}, {"10", 1, 9}, {"a", 9, 0}, {"ab", 9, 1},
                 {"b", 2, 9}, {"", 9, 9},   {"A", 9, 9}, {"100", 9, 9}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct app *by_id = app_of_id(&options.app, text_of(cases[i].text));
        const struct app *by_key = app_of_key(&options.app, text_of(cases[i].text));
        cr_expect_eq(by_id != NULL ? by_id->index : 9, cases[i].by_id, "%s", cases[i].text);
        cr_expect_eq(by_key != NULL ? by_key->index : 9, cases[i].by_key, "%s", cases[i].text);
    }
    cr_expect_null(app_of_id(&options.app, (struct text){0}), "no text is no ID");
    cr_expect_null(app_of_key(&(struct app_list){0}, text_of("a")));
    options_fini(&options);
}
