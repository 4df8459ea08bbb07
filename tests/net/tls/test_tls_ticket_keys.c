/* tests/net/tls/test_tls_ticket_keys.c - ticket keys that are given: sessions go on at whoever has them, as long as
 * they stand in the file; and files that are none. Linked with --wrap, for mbedTLS is static here. */
#include "net/tls/tls_ticket_keys.h"

#include "tests/support/tls_server.h"

#include <criterion/criterion.h>
#include <mbedtls/platform_time.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIFETIME 2

static time_t leapt; /* seconds that the clock is wrong by */

/* The C library's, as mbedTLS asks it. */
time_t time(time_t *seconds_r)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (seconds_r != NULL) *seconds_r = now.tv_sec + leapt;
    return now.tv_sec + leapt;
}

static struct tls_server server;
static struct tls_files *files; /* its pair */

static void start(void)
{
    char reason[512];
    tls_server_start(&server, MADE_P256, NULL, NULL);
    const char *certificate = made_file(server.pair.certificate), *key = made_file(server.pair.key);
    struct tls_names names = {&certificate, &key, 1, NULL, false};
    cr_assert_eq(tls_files_read(&files, &names, reason, sizeof reason), RC_OK, "%s", reason);
}

static void stop(void)
{
    tls_files_drop(files);
    tls_server_stop(&server);
}

static struct tls_ticket_key key_of(uint8_t byte)
{
    struct tls_ticket_key key;
    memset(key.bytes, byte, sizeof key.bytes);
    return key;
}

/* As a server that has begun anew, with these keys in its file. */
static struct tls_ticket_keys *keys_of(const char *bytes)
{
    struct tls_ticket_key given[TLS_TICKET_KEYS_MAX];
    for (size_t i = 0; i < strlen(bytes); i++)
        given[i] = key_of((uint8_t)bytes[i]);
    struct tls_ticket_keys *keys = tls_ticket_keys_new(LIFETIME);
    if (bytes[0] != '\0') cr_assert_eq(tls_ticket_keys_give(keys, given, strlen(bytes)), RC_OK);
    return keys;
}

/* Shakes hands with these keys, and keeps the client's session. Was an earlier one resumed? */
static bool visit(struct tls_ticket_keys *keys, unsigned version, mbedtls_ssl_session *session)
{
    struct tls_link link;
    struct tls_context *context;
    char reason[512];
    cr_assert_eq(tls_context_new(&context, files, keys, reason, sizeof reason), RC_OK, "%s", reason);
    struct tls_client_wish wish = tls_server_wish(&server, version);
    if (session->MBEDTLS_PRIVATE(tls_version) != 0) wish.session = session;
    tls_link_open(&link, context, wish);
    cr_assert(tls_link_shake(&link), "%s", tls_reason(link.tls));
    if (version == 12) cr_assert_eq(tls_client_keep(link.client), 0);
    bool is_resumed = tls_is_resumed(link.tls);
    mbedtls_ssl_session_free(session);
    *session = link.client->session;
    mbedtls_ssl_session_init(&link.client->session);
    tls_link_close(&link);
    tls_context_drop(context);
    return is_resumed;
}

/* Of a server with the first keys to one with the second. */
static bool goes_on(const char *from, const char *to, unsigned version)
{
    mbedtls_ssl_session session;
    mbedtls_ssl_session_init(&session);
    struct tls_ticket_keys *before = keys_of(from), *behind = keys_of(to);
    cr_assert(!visit(before, version, &session));
    bool is_resumed = visit(behind, version, &session);
    mbedtls_ssl_session_free(&session);
    tls_ticket_keys_free(before);
    tls_ticket_keys_free(behind);
    return is_resumed;
}

Test(tls_ticket_keys, sessions_go_on_at_whoever_has_the_key, .timeout = 60)
{
    static const struct {
        const char *from, *to;
        bool goes_on;
    } rows[] = {
        {"a", "a", true},   {"a", "ba", true},        {"ab", "ca", true}, {"a", "bcdefgha", true}, {"a", "b", false},
        {"ab", "b", false}, {"a", "bcdefghi", false}, {"", "", false},    {"a", "", false},        {"", "a", false},
    };
    start();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned version = 12; version <= 13; version++)
            cr_expect_eq(goes_on(rows[i].from, rows[i].to, version), rows[i].goes_on, "row %zu, %u", i, version);
    }
    stop();
}

/* mbedTLS would make one of its own. */
Test(tls_ticket_keys, a_key_that_was_given_is_used_beyond_the_lifetime_of_tickets, .timeout = 30)
{
    start();
    struct tls_ticket_keys *old = keys_of("ab");
    for (int i = 0; i < 5; i++) {
        usleep(LIFETIME * 1000000 / 4);
        cr_expect_eq(tls_ticket_keys_rotate(old), RC_OK);
    }
    for (unsigned version = 12; version <= 13; version++) {
        mbedtls_ssl_session session;
        mbedtls_ssl_session_init(&session);
        struct tls_ticket_keys *other = keys_of("a");
        visit(old, version, &session);
        cr_expect(visit(other, version, &session), "%u", version);
        mbedtls_ssl_session_free(&session);
        tls_ticket_keys_free(other);
    }
    tls_ticket_keys_free(old);
    stop();
}

/* Then mbedTLS makes one of its own. */
Test(tls_ticket_keys, a_key_that_was_given_is_used_again_when_the_clock_has_leapt, .timeout = 30)
{
    start();
    const time_t leaps[] = {-5, 3 * 86400};
    for (size_t i = 0; i < sizeof leaps / sizeof leaps[0]; i++) {
        struct tls_ticket_keys *old = keys_of("a"), *other = keys_of("a");
        mbedtls_ssl_session session;
        mbedtls_ssl_session_init(&session);
        leapt = leaps[i];
        visit(old, 12, &session);
        cr_expect_not(visit(other, 12, &session), "row %zu: it was not the key that was given", i);
        mbedtls_ssl_session_free(&session);
        mbedtls_ssl_session_init(&session);
        cr_expect_eq(tls_ticket_keys_rotate(old), RC_OK);
        cr_expect_eq(tls_ticket_keys_rotate(other), RC_OK);
        visit(old, 12, &session);
        cr_expect(visit(other, 12, &session), "row %zu", i);
        mbedtls_ssl_session_free(&session);
        tls_ticket_keys_free(other);
        tls_ticket_keys_free(old);
        leapt = 0;
    }
    stop();
}

Test(tls_ticket_keys, time_in_tickets_is_the_days_time, .timeout = 10)
{
    int64_t off_ms = mbedtls_ms_time() - (int64_t)time(NULL) * 1000;
    cr_expect(off_ms > -5000 && off_ms < 5000, "which other machines know");
}

/* ---- files ---- */

#define KEY   "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define OTHER "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

Test(tls_ticket_keys, a_file_of_keys_is_read, .timeout = 10)
{
    static const struct {
        const char *text;
        size_t count;
    } rows[] = {
        {KEY, 1},
        {KEY "\n", 1},
        {"# of Monday\n" KEY "\r\n\n  \n" OTHER "\n", 2},
        {KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n#" KEY, 8},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_ticket_key given[TLS_TICKET_KEYS_MAX];
        char reason[512] = "";
        size_t count;
        cr_assert_eq(tls_ticket_keys_read(made_file(rows[i].text), given, &count, reason, sizeof reason), RC_OK, "%s",
                     reason);
        cr_expect_eq(count, rows[i].count);
        cr_expect(given[0].bytes[0] == 0x00 && given[0].bytes[1] == 0x11 && given[0].bytes[31] == 0xff);
        if (count == 2) cr_expect(given[1].bytes[0] == 0xff && given[1].bytes[30] == 0x11);
    }
}

Test(tls_ticket_keys, a_file_that_is_none_is_refused_by_name_and_line, .timeout = 10)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"", "has no key for tickets. Write one: openssl rand -hex 32"},
        {"\n# nothing\n", "has no key for tickets"},
        {KEY "0", "Line 1 of "},
        {KEY "\n" KEY " " KEY, "Line 2 of "},
        {"#\n\nsecret", "Line 3 of "},
        {"g" KEY, "64 hexadecimal digits, as `openssl rand -hex 32` writes them."},
        {KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY "\n" KEY, "has more than 8 keys"},
    };
    struct tls_ticket_key given[TLS_TICKET_KEYS_MAX];
    char reason[512];
    size_t count;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *name = made_file(rows[i].text);
        cr_expect_eq(tls_ticket_keys_read(name, given, &count, reason, sizeof reason), RC_EINVAL, "row %zu", i);
        cr_expect_not_null(strstr(reason, rows[i].words), "%s", reason);
        cr_expect_not_null(strstr(reason, name), "%s", reason);
        cr_expect_null(strstr(reason, "secret"), "what may be a key is not shown");
    }
    static char padded[64 * 1024 + 2] = KEY "\n"; /* one byte more than is read: a key may have been cut */
    memset(padded + strlen(padded), '\n', sizeof padded - 1 - strlen(padded));
    cr_expect_eq(tls_ticket_keys_read(made_file(padded), given, &count, reason, sizeof reason), RC_EINVAL);
    cr_expect_not_null(strstr(reason, "is longer than 64 KB"), "%s", reason);
    padded[sizeof padded - 2] = '\0';
    cr_expect_eq(tls_ticket_keys_read(made_file(padded), given, &count, reason, sizeof reason), RC_OK);
    cr_expect_eq(tls_ticket_keys_read("/nowhere", given, &count, reason, sizeof reason), RC_ENOENT);
    cr_expect_not_null(strstr(reason, "/nowhere cannot be read"));
    cr_expect_eq(tls_ticket_keys_read("/dev/null", given, &count, reason, sizeof reason), RC_EINVAL);
    cr_expect_not_null(strstr(reason, "no regular file"));
}
