/* tests/net/test_upgrade.c - the RFC's own handshake, its spellings, and each way to get it wrong. */
#include "net/http.h"
#include "net/upgrade.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" /* RFC 6455 1.3 */
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define ASK     "Upgrade: websocket\r\nConnection: Upgrade\r\n"

static const char *const two_origins[] = {"https://example.com", "http://localhost:8080"};

/* Judges "GET / HTTP/1.1", a Host and these headers, or `line` in place of the first. */
static struct upgrade judge(const char *line, const char *headers, const char *const *origins, size_t origins_count)
{
    char input[2048];
    struct http_reader reader;
    struct upgrade upgrade;
    int count = snprintf(input, sizeof input, "%s\r\nHost: x\r\n%s\r\n", line, headers);
    struct bytes in = bytes_of(input, (size_t)count);
    http_reader_init(&reader, sizeof input, 0);
    cr_assert_eq(http_reader_feed(&reader, &in), RC_OK, "%s", input);
    upgrade_check(http_reader_request(&reader), origins, origins_count, &upgrade);
    http_reader_fini(&reader);
    return upgrade;
}

Test(upgrade, the_example_of_the_rfc_gets_its_accept_key, .timeout = 5)
{
    char answer[UPGRADE_ANSWER_BYTES_MAX];
    struct upgrade upgrade = judge("GET /chat HTTP/1.1", ASK KEY VERSION, NULL, 0);
    cr_assert_eq(upgrade.status, 101);
    cr_expect_str_eq(upgrade.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    static const char expected[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    size_t count = upgrade_answer(&upgrade, (struct text){0}, answer, sizeof answer);
    cr_expect_eq(count, sizeof expected - 1);
    cr_expect_arr_eq(answer, expected, sizeof expected - 1);
    cr_expect_eq(upgrade_answer(&upgrade, (struct text){0}, answer, count), 0, "no room for the zero");
    cr_expect_neq(upgrade_answer(&upgrade, text_of("chat.v1"), answer, sizeof answer), 0);
    cr_expect_not_null(strstr(answer, "xOo=\r\nSec-WebSocket-Protocol: chat.v1\r\n\r\n"));
}

Test(upgrade, the_first_subprotocol_that_is_offered_and_wanted_is_agreed_to, .timeout = 5)
{
    static const char *const chat[] = {"soap", "chat"}, *const any[] = {"x", "any"};
    char long_one[UPGRADE_SUBPROTOCOL_BYTES_MAX + 30] = "";
    memset(long_one, 'x', UPGRADE_SUBPROTOCOL_BYTES_MAX + 1);
    const struct {
        const char *offered, *of_chat, *of_any;
    } rows[] = {
        {"chat", "chat", "chat"},
        {"mqtt, chat ,soap", "chat", "mqtt"},
        {"soap,chat", "soap", "soap"},
        {"CHAT", NULL, "CHAT"},
        {"mqtt", NULL, "mqtt"},
        {", ,chat", "chat", "chat"},
        {"", NULL, NULL},
        {"a b, c/d, e:f, ok", NULL, "ok"},
        {long_one, NULL, NULL},
        {"v1.chat, any", NULL, "v1.chat"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char input[512];
        struct http_reader reader;
        int count =
            snprintf(input, sizeof input,
                     "GET / HTTP/1.1\r\nHost: x\r\nX: chat\r\nsec-websocket-protocol: %s\r\n\r\n", rows[i].offered);
        struct bytes in = bytes_of(input, (size_t)count);
        http_reader_init(&reader, sizeof input, 0);
        cr_assert_eq(http_reader_feed(&reader, &in), RC_OK);
        const struct http_request *request = http_reader_request(&reader);
        struct text of_chat = upgrade_subprotocol(request, chat, 2), of_any = upgrade_subprotocol(request, any, 2);
        cr_expect(rows[i].of_chat == NULL ? of_chat.at == NULL : text_is(of_chat, rows[i].of_chat), "row %zu", i);
        cr_expect(rows[i].of_any == NULL ? of_any.at == NULL : text_is(of_any, rows[i].of_any), "row %zu", i);
        cr_expect_null(upgrade_subprotocol(request, NULL, 0).at);
        http_reader_fini(&reader);
    }
}

Test(upgrade, every_good_spelling_is_taken, .timeout = 5)
{
    static const char *const rows[] = {
        ASK KEY VERSION "Sec-WebSocket-Protocol: chat, superchat\r\n",
        ASK KEY VERSION "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
        "upgrade: WebSocket\r\nconnection: upgrade\r\n" KEY VERSION,
        "UPGRADE:websocket\r\nCONNECTION:UPGRADE\r\nsec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-"
        "version:13\r\n",
        "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" KEY VERSION, /* Firefox */
        "Upgrade: h2c, websocket\r\nConnection: Upgrade\r\n" KEY VERSION,
        "Upgrade: h2c\r\nUpgrade: websocket\r\nConnection: keep-alive\r\nConnection: upgrade\r\n" KEY VERSION,
        "Upgrade: \t websocket \t\r\nConnection:\tUpgrade ,\r\n" KEY "Sec-WebSocket-Version:   13  \r\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upgrade upgrade = judge("GET / HTTP/1.1", rows[i], NULL, 0);
        cr_expect_eq(upgrade.status, 101, "row %zu: %u %s", i, upgrade.status, upgrade.text);
    }
}

Test(upgrade, every_wrong_request_gets_its_status_and_an_answer_that_fits, .timeout = 5)
{
    static const struct {
        const char *line, *headers;
        unsigned status;
        const char *says;
    } rows[] = {
        {"POST / HTTP/1.1", ASK KEY VERSION, 405, "\r\nAllow: GET\r\n"},
        {"HEAD / HTTP/1.1", ASK KEY VERSION, 405, "\r\nAllow: GET\r\n"},
        {"GET / HTTP/1.0", ASK KEY VERSION, 426, "proxy_http_version 1.1"},
        {"GET / HTTP/1.1", "", 426, "\r\nUpgrade: websocket\r\n"},
        {"GET / HTTP/1.1", "Connection: Upgrade\r\n" KEY VERSION, 426, "\r\nConnection: Upgrade\r\n"},
        {"GET / HTTP/1.1", "Upgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION, 426, "\r\nUpgrade: websocket\r\n"},
        {"GET / HTTP/1.1", "Upgrade: websockets\r\nConnection: Upgrade\r\n" KEY VERSION, 426, "Upgrade: websocket"},
        {"GET / HTTP/1.1", "Upgrade: websocket\r\n" KEY VERSION, 400, "\"Connection: Upgrade\" is missing"},
        {"GET / HTTP/1.1", "Upgrade: websocket\r\nConnection: close\r\n" KEY VERSION, 400, "Connection"},
        {"GET / HTTP/1.1", ASK KEY, 426, "\r\nSec-WebSocket-Version: 13\r\n"},
        {"GET / HTTP/1.1", ASK KEY "Sec-WebSocket-Version: 8\r\n", 426, "\r\nSec-WebSocket-Version: 13\r\n"},
        {"GET / HTTP/1.1", ASK KEY "Sec-WebSocket-Version: 13, 8\r\n", 426, "\r\nSec-WebSocket-Version: 13\r\n"},
        {"GET / HTTP/1.1", ASK KEY VERSION VERSION, 400, "more than once"},
        {"GET / HTTP/1.1", ASK VERSION, 400, "Sec-WebSocket-Key"},
        {"GET / HTTP/1.1", ASK VERSION KEY KEY, 400, "more than once"},
        {"GET / HTTP/1.1", ASK VERSION "Sec-WebSocket-Key:\r\n", 400, "16 random bytes"},
        {"GET / HTTP/1.1", ASK VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ\r\n", 400, "16 random bytes"},
        {"GET / HTTP/1.1", ASK VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZS4=\r\n", 400,
         "16 random bytes"}, /* 17 */
        {"GET / HTTP/1.1", ASK VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZS4u\r\n", 400,
         "16 random bytes"}, /* 18 */
        {"GET / HTTP/1.1", ASK VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\r\n", 400, "16 random bytes"},
        {"GET / HTTP/1.1", ASK KEY VERSION "Origin: http://evil.example\r\n", 403, "list of origins"},
        {"GET / HTTP/1.1", ASK KEY VERSION "Origin: https://example.com\r\nOrigin: https://example.com\r\n", 400,
         "Origin"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct upgrade upgrade = judge(rows[i].line, rows[i].headers, two_origins, 2);
        cr_expect_eq(upgrade.status, rows[i].status, "row %zu: %u", i, upgrade.status);
        char says[512]; /* the header lines and the sentence */
        cr_assert_not_null(upgrade.text, "row %zu", i);
        snprintf(says, sizeof says, "\r\n%s%s", upgrade.extra_headers != NULL ? upgrade.extra_headers : "",
                 upgrade.text);
        cr_expect_not_null(strstr(says, rows[i].says), "row %zu: %s", i, says);
    }
}

Test(upgrade, a_request_for_a_page_is_told_from_one_for_a_socket, .timeout = 5)
{
    static const struct {
        const char *headers;
        bool is_asked;
    } rows[] = {
        {"", false},
        {"Connection: Upgrade\r\nUpgrade: h2c\r\n", false},
        {"Sec-WebSocket-Version: 13\r\n", false},
        {"Upgrade: WebSocket\r\n", true}, /* badly, but asked */
        {"Upgrade: h2c\r\nUpgrade: a, websocket\r\n", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char input[256];
        struct http_reader reader;
        int count = snprintf(input, sizeof input, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", rows[i].headers);
        struct bytes in = bytes_of(input, (size_t)count);
        http_reader_init(&reader, sizeof input, 0);
        cr_assert_eq(http_reader_feed(&reader, &in), RC_OK);
        cr_expect_eq(upgrade_is_asked(http_reader_request(&reader)), rows[i].is_asked, "row %zu", i);
        http_reader_fini(&reader);
    }
}

Test(upgrade, the_origin_list_judges_browsers_and_lets_programs_in, .timeout = 5)
{
    static const char *const any[] = {"*"};
    static const struct {
        const char *origin;
        const char *const *origins;
        size_t origins_count;
        unsigned status;
    } rows[] = {
        {"", two_origins, 2, 101},
        {"Origin: https://example.com\r\n", two_origins, 2, 101},
        {"origin: HTTPS://Example.COM\r\n", two_origins, 2, 101},
        {"Origin: http://localhost:8080\r\n", two_origins, 2, 101},
        {"Origin: http://localhost\r\n", two_origins, 2, 403},
        {"Origin: http://example.com\r\n", two_origins, 2, 403},
        {"Origin: https://example.com:8443\r\n", two_origins, 2, 403},
        {"Origin: https://example.com.evil.example\r\n", two_origins, 2, 403},
        {"Origin: null\r\n", two_origins, 2, 403},
        {"Origin:\r\n", two_origins, 2, 403},
        {"Origin: http://anywhere.example\r\n", any, 1, 101},
        {"Origin: http://anywhere.example\r\n", NULL, 0, 101},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char headers[512];
        snprintf(headers, sizeof headers, ASK KEY VERSION "%s", rows[i].origin);
        struct upgrade upgrade = judge("GET / HTTP/1.1", headers, rows[i].origins, rows[i].origins_count);
        cr_expect_eq(upgrade.status, rows[i].status, "row %zu", i);
    }
}

Test(upgrade, origins_are_on_a_list_as_a_whole_and_in_any_case, .timeout = 5)
{
    static const char *const any[] = {"*"};
    static const struct {
        const char *origin;
        bool is_listed;
    } rows[] = {
        {"https://example.com", true},
        {"HTTPS://Example.com", true},
        {"http://localhost:8080", true},
        {"https://example.com.", false},
        {"http://example.com", false},
        {"http://localhost", false},
        {"null", false},
        {"", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct text origin = text_of(rows[i].origin);
        cr_expect_eq(upgrade_has_origin(two_origins, 2, origin), rows[i].is_listed, "%s", rows[i].origin);
        cr_expect(upgrade_has_origin(any, 1, origin), "%s", rows[i].origin);
        cr_expect_not(upgrade_has_origin(NULL, 0, origin), "nothing is on no list");
    }
}
