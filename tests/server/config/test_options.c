/* tests/server/config/test_options.c - what the operator gives is what the server gets,
 * or one line says what to give. */
#include "server/config/options_print.h"
#include "server/config/options_read.h"
#include "tests/support/small_error.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char error[OPTIONS_ERROR_BYTES];

/* A command line or an environment from a list of words. */
#define WORDS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static enum rc read_both(struct options *options, const char *const words[], const char *const envp[])
{
    const char *argv[64] = {"ringcast"};
    int argc = 1;
    for (; *words != NULL; words++)
        argv[argc++] = *words;
    return options_read(options, argc, (char *const *)argv, (char *const *)envp, error, sizeof error);
}

static enum rc read_flags(struct options *options, const char *const words[])
{
    return read_both(options, words, NULL);
}

static const char *shown(const struct address_list *list, uint32_t index)
{
    static char text[ADDRESS_TEXT_MAX];
    return index < list->count ? address_format(&list->items[index], text) : "none";
}

Test(options, without_any_given_are_the_defaults, .timeout = 10)
{
    struct options options;
    cr_assert_eq(read_flags(&options, WORDS()), RC_OK, "%s", error);
    cr_expect_eq(options.listen.count, 1);
    cr_expect_str_eq(shown(&options.listen, 0), "0.0.0.0:8080");
    cr_expect_eq(options.origin.count, 0);
    cr_expect_eq(options.control.count, 0);
    cr_assert_eq(options.app.count, 1);
    cr_expect_str_eq(options.app.items[0].id, "rooms");
    cr_expect_eq(options.guests, false);
    cr_expect_eq(options.history.count, 0);
    cr_expect_eq(options.history_bytes_max, 256 * MIB);
    cr_expect_eq(options.replay_bytes_max, 1 * MIB);
    cr_expect_str_eq(options.data_dir, "");
    cr_expect_eq(options.store_sync, true);
    cr_expect_eq(options.store_jobs_max, 10000);
    cr_expect_eq(options.redis.count, 0);
    cr_expect_str_eq(options.redis_prefix, "ringcast");
    cr_expect_eq(options.redis_queue_bytes_max, 64 * MIB);
    cr_expect_eq(options.redis_publish_ms_max, 2000);
    cr_expect_eq(options.redis_silent_ms_max, 3000);
    cr_expect_eq(options.redis_lease, 15000);
    cr_expect_eq(options.redis_wait, true);
    cr_expect_eq(options.repeat_keys_max, 100000);
    cr_expect_eq(options.lobby_echo, false);
    cr_expect_eq(options.shards, 0);
    cr_expect_eq(options.message_bytes_max, 64 * KIB);
    cr_expect_eq(options.outbox_bytes_max, 1 * MIB);
    cr_expect_eq(options.body_bytes_max, 1 * MIB);
    cr_expect_eq(options.handshake_ms_max, 10000);
    cr_expect_eq(options.activity_timeout_ms, 120000);
    cr_expect_eq(options.drain_reconnect, false);
    cr_expect_eq(options.webhook_delay_ms, 3000);
    cr_expect_eq(options.webhook_batch_ms, 50);
    cr_expect_eq(options.webhook_events_max, 10000);
    cr_expect_eq(options.webhook_retry_ms_max, 300000);
    cr_expect_eq(options.webhook_stop_ms_max, 2000);
    cr_expect_eq(options.mailbox_letters, 2048);
    cr_expect_eq(options.log_level, LOG_LEVEL_INFO);
    cr_expect_eq(options.help || options.version, false);
    cr_expect_str_eq(options.warnings, "");
    for (enum option_id id = 0; id < OPTIONS_COUNT; id++)
        cr_expect_not(options_is_set(&options, id));
    options_fini(&options);
}

Test(options, are_taken_from_flags_in_both_spellings, .timeout = 10)
{
    struct options options;
    cr_assert_eq(read_flags(&options, WORDS("--shards", "4", "--message-bytes-max=1MiB", "--ping-ms", "2m",
                                            "--lobby-echo", "--log-level=debug", "--shards", "5")),
                 RC_OK, "%s", error);
    cr_expect_eq(options.shards, 5, "the last one wins");
    cr_expect_eq(options.message_bytes_max, 1 * MIB);
    cr_expect_eq(options.ping_ms, 120000);
    cr_expect_eq(options.lobby_echo, true);
    cr_expect_eq(options.log_level, LOG_LEVEL_DEBUG);
    cr_expect(options_is_set(&options, OPTION_shards) && options_is_set(&options, OPTION_lobby_echo));
    cr_expect_not(options_is_set(&options, OPTION_outbox_bytes_max));
    options_fini(&options);
}

Test(options, values_are_read_in_every_unit, .timeout = 10)
{
    static const struct {
        const char *flag;
        uint64_t value;
    } cases[] = {
        {"--message-bytes-max=1", 1},
        {"--message-bytes-max=65536", 65536},
        {"--message-bytes-max=64KiB", 65536},
        {"--message-bytes-max=64kib", 65536},
        {"--message-bytes-max=64MiB", 64 * MIB},
    };
    static const struct {
        const char *flag;
        uint32_t value;
    } times[] = {{"--ping-ms=10", 10},     {"--ping-ms=500ms", 500},  {"--ping-ms=10s", 10000},
                 {"--ping-ms=2m", 120000}, {"--ping-ms=1h", 3600000}, {"--ping-ms=60m", 3600000}};
    static const struct {
        const char *flag;
        uint32_t value;
    } days[] = {
        {"--history=a ttl=1d", 86400000}, {"--history=a ttl=24h", 86400000}, {"--history=a ttl=2D", 172800000}};
    struct options options;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(read_flags(&options, WORDS(cases[i].flag)), RC_OK, "%s", error);
        cr_expect_eq(options.message_bytes_max, cases[i].value, "%s", cases[i].flag);
        options_fini(&options);
    }
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        cr_assert_eq(read_flags(&options, WORDS(times[i].flag)), RC_OK, "%s", error);
        cr_expect_eq(options.ping_ms, times[i].value, "%s", times[i].flag);
        options_fini(&options);
    }
    for (size_t i = 0; i < sizeof days / sizeof days[0]; i++) {
        cr_assert_eq(read_flags(&options, WORDS(days[i].flag)), RC_OK, "%s", error);
        cr_expect_eq(options.history.items[0].ttl, days[i].value, "%s", days[i].flag);
        options_fini(&options);
    }
}

Test(options, switches_take_yes_and_no_in_three_spellings, .timeout = 10)
{
    static const struct {
        const char *flag, *variable;
        bool value;
    } cases[] = {
        {"--lobby-echo=yes", "RINGCAST_LOBBY_ECHO=yes", true},
        {"--lobby-echo=no", "RINGCAST_LOBBY_ECHO=no", false},
        {"--lobby-echo=1", "RINGCAST_LOBBY_ECHO=1", true},
        {"--lobby-echo=0", "RINGCAST_LOBBY_ECHO=0", false},
        {"--lobby-echo=true", "RINGCAST_LOBBY_ECHO=TRUE", true},
        {"--lobby-echo=false", "RINGCAST_LOBBY_ECHO=False", false},
    };
    struct options options;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(read_flags(&options, WORDS(cases[i].flag)), RC_OK, "%s", error);
        cr_expect_eq(options.lobby_echo, cases[i].value, "%s", cases[i].flag);
        options_fini(&options);
        cr_assert_eq(read_both(&options, WORDS(), WORDS(cases[i].variable)), RC_OK, "%s", error);
        cr_expect_eq(options.lobby_echo, cases[i].value, "%s", cases[i].variable);
        options_fini(&options);
    }
}

Test(options, of_a_flag_win_over_the_environment_and_that_over_defaults, .timeout = 10)
{
    struct options options;
    cr_assert_eq(read_both(&options, WORDS("--shards=2", "--lobby-echo=no"),
                           WORDS("RINGCAST_SHARDS=3", "RINGCAST_PING_MS=1s", "RINGCAST_LOBBY_ECHO=yes",
                                 "RINGCAST_HEAD_BYTES_MAX=")),
                 RC_OK, "%s", error);
    cr_expect_eq(options.shards, 2);
    cr_expect_eq(options.ping_ms, 1000);
    cr_expect_eq(options.lobby_echo, false);
    cr_expect_eq(options.head_bytes_max, 16 * KIB, "an empty variable is none");
    cr_expect(options_is_set(&options, OPTION_ping_ms));
    cr_expect_not(options_is_set(&options, OPTION_head_bytes_max));
    options_fini(&options);
}

#define NO_ORIGIN(text)                                                                                 \
    "--origin: \"" text "\" is no origin; write it as browsers send it, a scheme, a host and its port " \
    "if it has an unusual one: https://example.com, http://localhost:3000"

Test(options, origins_are_those_that_browsers_send, .timeout = 10)
{
    static const char *const good[] = {"https://example.com",
                                       "http://localhost:3000",
                                       "HTTPS://Example.COM:8443",
                                       "http://[::1]:8080",
                                       "http://127.0.0.1",
                                       "http://example.com:443",
                                       "capacitor://localhost",
                                       "null",
                                       "*",
                                       "chrome-extension://abcdefghijklmnop"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct options options;
        cr_assert_eq(read_flags(&options, WORDS("--origin", good[i])), RC_OK, "%s", error);
        cr_expect_str_eq(options.origin.items[0], good[i]);
        options_fini(&options);
    }
}

Test(options, lists_grow_in_one_place_and_are_replaced_by_the_next, .timeout = 10)
{
    struct options options;
    const char *const variables[] = {"RINGCAST_LISTEN=127.0.0.1:1, [::1]:2 127.0.0.1:3,", "RINGCAST_ORIGIN=http://a",
                                     NULL};
    cr_assert_eq(read_both(&options, WORDS("--origin", "http://b", "--origin=http://c"), variables), RC_OK, "%s",
                 error);
    cr_expect_eq(options.listen.count, 3);
    cr_expect_str_eq(shown(&options.listen, 0), "127.0.0.1:1");
    cr_expect_str_eq(shown(&options.listen, 1), "[::1]:2");
    cr_expect_str_eq(shown(&options.listen, 2), "127.0.0.1:3");
    cr_assert_eq(options.origin.count, 2);
    cr_expect_str_eq(options.origin.items[0], "http://b");
    cr_expect_str_eq(options.origin.items[1], "http://c");
    options_fini(&options);

    cr_assert_eq(read_both(&options, WORDS("--listen", "*:4"), variables), RC_OK, "%s", error);
    cr_expect_eq(options.listen.count, 1);
    cr_expect_str_eq(shown(&options.listen, 0), "0.0.0.0:4");
    options_fini(&options);
}

Test(options, outbox_grows_with_the_messages_unless_it_is_given, .timeout = 10)
{
    struct options options;
    cr_assert_eq(read_flags(&options, WORDS("--message-bytes-max=64MiB")), RC_OK, "%s", error);
    cr_expect_eq(options.outbox_bytes_max, 128 * MIB);
    options_fini(&options);
    cr_assert_eq(read_flags(&options, WORDS("--message-bytes-max=64MiB", "--outbox-bytes-max=4294967295")), RC_OK);
    cr_expect_eq(options.outbox_bytes_max, UINT32_MAX);
    options_fini(&options);
}

/* Port 0 stands for any free one, so it may be in both lists. */
Test(options, control_stands_beside_listen, .timeout = 10)
{
    static const char *const cases[][2] = {
        {"127.0.0.1:0", "127.0.0.1:0"}, {"127.0.0.1:80", "127.0.0.1:81"}, {"[::1]:80", "0.0.0.0:80"}};
    struct options options;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert_eq(read_flags(&options, WORDS("--listen", cases[i][0], "--control", cases[i][1])), RC_OK, "%s",
                     error);
        cr_expect_str_eq(shown(&options.listen, 0), cases[i][0]);
        cr_expect_str_eq(shown(&options.control, 0), cases[i][1]);
        options_fini(&options);
    }
}

Test(options, mistakes_in_flags_are_told_with_their_cure, .timeout = 10)
{
    static const struct {
        const char *words[3];
        const char *error;
    } cases[] = {
        {{"--shards", "abc"}, "--shards: \"abc\" is not a number; give 0 to 256"},
        {{"--shards", "257"}, "--shards: \"257\" is out of bounds; give 0 to 256"},
        {{"--shards", "-1"}, "--shards: \"-1\" is not a number; give 0 to 256"},
        {{"--shards="}, "--shards: \"\" is not a number; give 0 to 256"},
        {{"--shards= 4"}, "--shards: \" 4\" is not a number; give 0 to 256"},
        {{"--shards=4s"}, "--shards: \"4s\" is not a number; give 0 to 256"},
        {{"--shards=99999999999999999999"}, "--shards: \"99999999999999999999\" is out of bounds; give 0 to 256"},
        {{"--shards"}, "--shards: the value is missing; give --shards THREADS"},
        {{"--shards", "--lobby-echo"}, "--shards: the value is missing; give --shards THREADS"},
        {{"--shard", "4"}, "unknown option --shard; did you mean --shards? See --help"},
        {{"--shard=4"}, "unknown option --shard; did you mean --shards? See --help"},
        {{"--lobby_echo"}, "unknown option --lobby_echo; did you mean --lobby-echo? See --help"},
        {{"--max-message-size=1"}, "unknown option --max-message-size; see --help"},
        {{"--=1"}, "unknown option --; see --help"},
        {{"-h"}, "argument 1 is unexpected; options begin with --, see --help"},
        {{"--"}, "argument 1 is unexpected; options begin with --, see --help"},
        {{"1001:key:secret"}, "argument 1 is unexpected; options begin with --, see --help"},
        {{"--lobby-echo", "yes"},
         "argument 2, behind --lobby-echo, is unexpected; options begin with --, and a value with blanks needs "
         "quotes, "
         "see --help"},
        {{"--app=1001:key:", "secret"}, "--app: app 1001 has no secret; each needs a key and a secret"},
        {{"--app=1001:key:secret", "secret"},
         "argument 2, behind --app, is unexpected; options begin with --, and a value with blanks needs quotes, see "
         "--help"},
        {{"--lobby-echo=maybe"}, "--lobby-echo: \"maybe\" is neither yes nor no; give one of them"},
        {{"--help=yes"}, "--help: takes no value; give it alone"},
        {{"--message-bytes-max=0"}, "--message-bytes-max: \"0\" is out of bounds; give 1 to 64MiB"},
        {{"--message-bytes-max=65MiB"}, "--message-bytes-max: \"65MiB\" is out of bounds; give 1 to 64MiB"},
        {{"--message-bytes-max=18446744073709551615GiB"},
         "--message-bytes-max: \"18446744073709551615GiB\" is out of bounds; give 1 to 64MiB"},
        {{"--message-bytes-max=64k"},
         "--message-bytes-max: \"64k\" is not a size (65536, 64KiB, 1MiB); give 1 to 64MiB"},
        {{"--ping-ms=1d"}, "--ping-ms: \"1d\" is out of bounds; give 10ms to 1h"},
        {{"--ping-ms=1w"}, "--ping-ms: \"1w\" is not a time (500ms, 10s, 24h, 7d); give 10ms to 1h"},
        {{"--ping-ms=61m"}, "--ping-ms: \"61m\" is out of bounds; give 10ms to 1h"},
        {{"--mailbox-letters=100"}, "--mailbox-letters: \"100\" is not a power of two; give 64 or 128"},
        {{"--mailbox-letters=32"},
         "--mailbox-letters: \"32\" is out of bounds; give a power of two from 64 to 65536"},
        {{"--log-level=loud"}, "--log-level: \"loud\" is not a level; give error, warn, info or debug"},
        {{"--listen=8080"},
         "--listen: \"8080\" is not an address; give ADDR:PORT in numbers: 127.0.0.1:8080, [::1]:8080, *:8080"},
        {{"--listen=*:1", "--listen=0.0.0.0:1"}, "--listen: \"0.0.0.0:1\" is there twice; give it once"},
        {{"--control=127.0.0.1:8081", "--control=127.0.0.1:8081"},
         "--control: \"127.0.0.1:8081\" is there twice; give it once"},
        {{"--control=*:8080"}, "--control: \"0.0.0.0:8080\" is an address of --listen too; give it another port"},
        {{"--control=[::1]:1", "--listen=[::1]:1"},
         "--control: \"[::1]:1\" is an address of --listen too; give it another port"},
        {{"--tls-listen=*:8443"}, "--tls-listen: a certificate is missing; give --tls-cert FILE --tls-key FILE"},
        {{"--tls-listen=*:8443", "--tls-cert=a"},
         "every --tls-cert needs its --tls-key, in order; there are 1 and 0"},
        {{"--tls-key=a"}, "--tls-key: of no use without TLS; give --tls-listen ADDR:PORT"},
        {{"--tls-client-ca=a"}, "--tls-client-ca: of no use without TLS; give --tls-listen ADDR:PORT"},
        {{"--tls-min-version=1.1"}, "--tls-min-version: \"1.1\" is none of its words; give 1.2 or 1.3"},
        {{"--config", "--ping-ms=1s"}, "--config: the value is missing; give --config FILE"},
        {{"--tls-listen=*:8080"},
         "--tls-listen: \"0.0.0.0:8080\" is an address of --listen too; give it another port"},
        {{"--tls-listen=127.0.0.1:8080"},
         "--tls-listen: \"127.0.0.1:8080\" and \"0.0.0.0:8080\" of --listen get the same connections; give one of "
         "them, or another port"},
        {{"--listen=127.0.0.1:1", "--tls-listen=[::]:1"},
         "--tls-listen: \"[::]:1\" and \"127.0.0.1:1\" of --listen get the same connections; give one of them, or "
         "another port"},
        {{"--control=[::1]:8443", "--tls-listen=[::]:8443"},
         "--control: \"[::1]:8443\" and \"[::]:8443\" of --tls-listen get the same connections; give one of them, or "
         "another port"},
        {{"--listen=[::]:80", "--listen=0.0.0.0:80"},
         "--listen: \"[::]:80\" and \"0.0.0.0:80\" of --listen get the same connections; give one of them, or "
         "another "
         "port"},
        {{"--body-bytes-max=1023"}, "--body-bytes-max: \"1023\" is out of bounds; give 1KiB to 64MiB"},
        {{"--activity-timeout-ms=999"}, "--activity-timeout-ms: \"999\" is out of bounds; give 1s to 1h"},
        {{"--webhook-delay-ms=61s"}, "--webhook-delay-ms: \"61s\" is out of bounds; give 0 to 1m"},
        {{"--replay-bytes-max=1023"}, "--replay-bytes-max: \"1023\" is out of bounds; give 1KiB to 64MiB"},
        {{"--store-jobs-max=0"}, "--store-jobs-max: \"0\" is out of bounds; give 1 to 10000000"},
        {{"--store-disk-bytes-max=63MiB"},
         "--store-disk-bytes-max: too little for a database to work; give 64MiB or more, or 0 for no bound"},
        {{"--repeat-keys-max=10000001"}, "--repeat-keys-max: \"10000001\" is out of bounds; give 0 to 10000000"},
        {{"--store-sync=later"}, "--store-sync: \"later\" is neither yes nor no; give one of them"},
        {{"--history=a durable=yes"},
         "--history: \"a\" is durable, but there is no directory to store it in; give --data-dir too"},
        {{"--history=a", "--history=b* durable=yes"},
         "--history: \"b*\" is durable, but there is no directory to store it in; give --data-dir too"},
        {{"--redis=127.0.0.1:6379"},
         "--redis: it begins with none of redis://, rediss://, unix:, redis+sentinel://, redis+cluster://; give one, "
         "as "
         "in redis://127.0.0.1:6379"},
        {{"--redis=redis://me:hunter2@h"},
         "--redis: it has a password, which whoever lists processes can read; put that in a file of its own and name "
         "it with --redis-password-file"},
        {{"--redis=redis://h", "--redis=redis://h"}, "--redis: \"redis://h\" is there twice; give it once"},
        {{"--redis-password-file=a"}, "--redis-password-file: of no use without --redis; give that too"},
        {{"--redis=redis://h", "--redis-ca=a"}, "--redis-ca: of no use without TLS; give --redis rediss://HOST:PORT"},
        {{"--redis=rediss://h", "--redis-cert=a"},
         "--redis-cert and --redis-key belong together; give both, or none"},
        {{"--redis-prefix=a{b}"},
         "--redis-prefix: \"a{b}\" has other characters than letters, digits and . _ -; give it without"},
        {{"--redis-prefix="}, "--redis-prefix: \"\" has 0 characters; give 1 to 64"},
        {{"--node=a b"}, "--node: \"a b\" has other characters than letters, digits and . _ -; give it without"},
        {{"--redis-lease=9s", "--redis-silent-ms-max=5s"},
         "--redis-lease: shorter than twice --redis-silent-ms-max, so it would end before a silent Redis is noticed; "
         "give more"},
        {{"--redis=unix:/r", "--message-bytes-max=64MiB"},
         "--redis-queue-bytes-max: not enough for two of the largest messages; give more, or a smaller "
         "--message-bytes-max"},
        {{"--webhook-events-max=0"}, "--webhook-events-max: \"0\" is out of bounds; give 1 to 10000000"},
        {{"--origin="}, "--origin: the value is empty; leave the option out instead"},
        {{"--origin=https://example.com/"},
         "--origin: \"https://example.com/\" is not what browsers send as an origin (it has a path, if only a "
         "slash); "
         "write https://example.com"},
        {{"--origin=https://example.com:443/chat?x#y"},
         "--origin: \"https://example.com:443/chat?x#y\" is not what browsers send as an origin (it has a path, if "
         "only "
         "a slash); write https://example.com"},
        {{"--origin=example.com:8443"},
         "--origin: \"example.com:8443\" is not what browsers send as an origin (it has no scheme); write "
         "https://example.com:8443"},
        {{"--origin=http://[::1]:80"},
         "--origin: \"http://[::1]:80\" is not what browsers send as an origin (its port is the scheme's own, which "
         "they leave out); write http://[::1]"},
        {{"--origin=wss://example.com"},
         "--origin: \"wss://example.com\" is not what browsers send as an origin (they name the page's scheme); "
         "write "
         "https://example.com"},
        {{"--subprotocol=a b"},
         "--subprotocol: \"a b\" is no name; give one of 1 to 100 letters, digits and any of !#$%&'*+-.^_`|~"},
        {{"--origin=https://*.example.com"}, NO_ORIGIN("https://*.example.com")},
        {{"--origin=https://user@example.com"}, NO_ORIGIN("https://user@example.com")},
        {{"--origin=https://example.com:x"}, NO_ORIGIN("https://example.com:x")},
        {{"--origin=https://example.com:"}, NO_ORIGIN("https://example.com:")},
        {{"--origin=https://a, https://b"}, NO_ORIGIN("https://a, https://b")},
        {{"--origin=https://"}, NO_ORIGIN("https://")},
        {{"--origin=://a"}, NO_ORIGIN("://a")},
        {{"--shards=1\n\x1b[2J"}, "--shards: \"1??[2J\" is not a number; give 0 to 256"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        cr_expect_eq(read_flags(&options, cases[i].words), RC_EINVAL, "%s", cases[i].words[0]);
        cr_expect_str_eq(error, cases[i].error);
        cr_expect(options.listen.items == NULL && options.origin.items == NULL, "nothing is left to give back");
    }
}

/* As secrets that are mounted as files bring them; one rule for all types. */
Test(options, blanks_and_newlines_around_a_variable_mean_nothing, .timeout = 10)
{
    struct options options;
    cr_assert_eq(read_both(&options, WORDS(),
                           WORDS("RINGCAST_DATA_DIR= /var/lib/a folder\r\n", "RINGCAST_SHARDS=3\n",
                                 "RINGCAST_PING_MS= 1s ", "RINGCAST_MESSAGE_BYTES_MAX=\t1KiB\n",
                                 "RINGCAST_LOBBY_ECHO=yes\n", "RINGCAST_LOG_LEVEL=debug\n",
                                 "RINGCAST_MAILBOX_LETTERS=64\n", "RINGCAST_APP=1:key:secret\n;\n2:other:secret\n",
                                 "RINGCAST_LISTEN=\n127.0.0.1:1\n127.0.0.1:2\n", "RINGCAST_HISTORY= * durable=yes \n",
                                 "RINGCAST_ORIGIN=http://a\nhttp://b\n", "RINGCAST_CLOSE_MS_MAX= \n")),
                 RC_OK, "%s", error);
    cr_expect_str_eq(options.data_dir, "/var/lib/a folder");
    cr_expect_eq(options.shards, 3);
    cr_expect_eq(options.ping_ms, 1000);
    cr_expect_eq(options.message_bytes_max, KIB);
    cr_expect(options.lobby_echo);
    cr_expect_eq(options.log_level, LOG_LEVEL_DEBUG);
    cr_expect_eq(options.mailbox_letters, 64);
    cr_assert_eq(options.app.count, 2);
    cr_expect_str_eq(options.app.items[0].secret, "secret");
    cr_expect_str_eq(options.app.items[1].id, "2");
    cr_expect_eq(options.listen.count, 2);
    cr_expect_eq(options.history.count, 1);
    cr_assert_eq(options.origin.count, 2);
    cr_expect_str_eq(options.origin.items[1], "http://b");
    cr_expect_not(options_is_set(&options, OPTION_close_ms_max), "a blank one is not given");
    options_fini(&options);
}

Test(options, lists_of_files_in_variables_are_parted_by_commas_alone, .timeout = 10)
{
    struct options options;
    cr_assert_eq(
        read_both(&options, WORDS(),
                  WORDS("RINGCAST_TLS_LISTEN=*:1", "RINGCAST_TLS_CERT=/etc/my certs/a.pem, /etc/my certs/b.pem\n",
                        "RINGCAST_TLS_KEY=/etc/my certs/a.key,/etc/my certs/b.key")),
        RC_OK, "%s", error);
    cr_assert_eq(options.tls_cert.count, 2);
    cr_expect_str_eq(options.tls_cert.items[0], "/etc/my certs/a.pem");
    cr_expect_str_eq(options.tls_cert.items[1], "/etc/my certs/b.pem");
    cr_assert_eq(options.tls_key.count, 2);
    cr_expect_str_eq(options.tls_key.items[1], "/etc/my certs/b.key");
    options_fini(&options);
}

Test(options, mistakes_in_the_environment_are_told_by_the_variable, .timeout = 10)
{
    static const struct {
        const char *variable;
        const char *error;
    } cases[] = {
        {"RINGCAST_SHARDS=abc", "RINGCAST_SHARDS: \"abc\" is not a number; give 0 to 256"},
        {"RINGCAST_LISTEN=*:1,*:x",
         "RINGCAST_LISTEN: \"*:x\" is not an address; give ADDR:PORT in numbers: 127.0.0.1:8080, [::1]:8080, *:8080"},
        {"RINGCAST_CONTROL=*:8081,*:8080",
         "RINGCAST_CONTROL: \"0.0.0.0:8080\" is an address of --listen too; give it another port"},
        {"RINGCAST_HISTORY=a; b durable=yes",
         "RINGCAST_HISTORY: \"b\" is durable, but there is no directory to store it in; give --data-dir too"},
        {"RINGCAST_LISTEN=, ,", "RINGCAST_LISTEN: holds no value; give ADDR:PORT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct options options;
        cr_expect_eq(read_both(&options, WORDS(), WORDS(cases[i].variable)), RC_EINVAL, "%s", cases[i].variable);
        cr_expect_str_eq(error, cases[i].error);
    }
}

Test(options, lists_have_a_bound, .timeout = 10)
{
    struct options options;
    char variable[1024] = "RINGCAST_LISTEN=";
    for (uint32_t port = 1; port <= 17; port++) {
        cr_expect_eq(read_both(&options, WORDS(), WORDS(variable)), RC_OK, "%s", error);
        cr_expect_eq(options.listen.count, port == 1 ? 1 : port - 1);
        options_fini(&options);
        snprintf(variable + strlen(variable), sizeof variable - strlen(variable), "*:%u,", port);
    }
    cr_expect_eq(read_both(&options, WORDS(), WORDS(variable)), RC_EINVAL);
    cr_expect_str_eq(error, "RINGCAST_LISTEN: more than 16 addresses; give fewer");
}

Test(options, asking_for_help_works_beside_any_mistake, .timeout = 10)
{
    struct options options;
    cr_expect_eq(read_both(&options, WORDS("--bogus", "--help"), WORDS("RINGCAST_SHARDS=abc")), RC_OK);
    cr_expect(options.help && !options.version);
    options_fini(&options);
    cr_expect_eq(read_flags(&options, WORDS("--version")), RC_OK);
    cr_expect(options.version && !options.help);
    options_fini(&options);
}

Test(options, error_fits_the_space_that_is_there, .timeout = 10)
{
    const char *argv[] = {"ringcast", "--shards=abc", NULL};
    expect_error_fits(2, argv, 60);
}

/* The row begins so, and behind it stand all words of its text. */
static void expect_row(const char *help, const char *begin, const char *text)
{
    const char *row = strstr(help, begin);
    cr_assert(row != NULL, "%s", begin);
    for (const char *word = text; *word != '\0';) {
        size_t length = strcspn(word, " ");
        row = memmem(row, strlen(row), word, length);
        cr_assert(row != NULL, "%s: %s", begin, word);
        word += length + (word[length] == ' ');
    }
}

/* Every row appears, its text whole, and no line is longer than a terminal that people use. */
Test(options, help_names_every_option_within_100_columns, .timeout = 10)
{
    char *help = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&help, &bytes);
    options_help(out);
    fclose(out);
#define OPTION_GROUP(title) cr_expect(strstr(help, "\n" title "\n") != NULL, "%s", title);
#define OPTION(type, name, section, change, default_, min, max, unit, text)                  \
    {                                                                                        \
        char flag[64];                                                                       \
        snprintf(flag, sizeof flag, "  --%s%s%s ", #name, unit[0] != '\0' ? " " : "", unit); \
        for (char *at = flag; (at = strchr(at, '_')) != NULL;)                               \
            *at = '-';                                                                       \
        expect_row(help, flag, text);                                                        \
    }
#include "server/config/options.def"
#undef OPTION
#undef OPTION_GROUP
    const char *settings = strstr(help, "\nApp settings\n");
    cr_assert(settings != NULL);
#define APP_SETTING(type, name, default_, min, max, unit, text) expect_row(settings, "  " #name "=" unit " ", text);
#include "server/config/app_setting.def"
#undef APP_SETTING
    settings = strstr(help, "\nHistory settings\n");
    cr_assert(settings != NULL);
#define HISTORY_SETTING(type, name, default_, min, max, unit, text) \
    expect_row(settings, "  " #name "=" unit " ", text);
#include "server/config/history_setting.def"
#undef HISTORY_SETTING
    cr_expect(strstr(help, "RINGCAST_MESSAGE_BYTES_MAX") != NULL);
    cr_expect(strstr(help, "[64KiB]") != NULL);
    cr_expect(strstr(help, "[2048, restart]") != NULL);
    for (const char *line = help; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        cr_expect_leq(length, 100, "%.*s", (int)length, line);
        cr_expect(length == 0 || line[length - 1] != ' ', "%.*s", (int)length, line);
        line += length + 1;
    }
    free(help);
}
