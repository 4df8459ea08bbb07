/* tests/net/test_http.c - requests good and bad, fed whole, byte by byte and cut at every place; heads of answers.
 *
 * A run writes what it read as words, "GET /a?b HTTP/1.1 keep [name=value] {body} |rest", or "status 400", so that
 * every way of cutting must give the same. */
#include "net/http.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_MAX = 512, BODY_MAX = 32, WORDS_MAX = 8192 };

/* Text that grows by formatted parts. */
struct words {
    char text[WORDS_MAX];
    size_t count;
};

__attribute__((format(printf, 2, 3))) static void add(struct words *words, const char *format, ...)
{
    va_list parts;
    va_start(parts, format);
    int count = vsnprintf(words->text + words->count, sizeof words->text - words->count, format, parts);
    va_end(parts);
    words->count += (size_t)count;
    cr_assert_lt(words->count, sizeof words->text);
}

static void describe(const struct http_request *request, struct bytes rest, struct words *words)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "other"};
    add(words, "%s %.*s", methods[request->method], (int)request->path.count, request->path.at);
    if (request->query.at != NULL) add(words, "?%.*s", (int)request->query.count, request->query.at);
    add(words, " HTTP/1.%u %s ", request->version_minor, request->keep_alive ? "keep" : "close");
    for (uint32_t n = 0; n < request->lines_count; n++) {
        struct http_header header = http_header_at(request, n);
        add(words, "[%.*s=%.*s]", (int)header.name.count, header.name.at, (int)header.value.count, header.value.at);
    }
    add(words, " {%.*s}", (int)request->body.count, request->body.at);
    add(words, "|%.*s", (int)rest.count, (const char *)rest.at);
}

/* Feeds `input` up to `first`, then the rest in slices of `step` bytes; what a slice leaves goes to the rest. Each
 * slice is a block of its own, so that the sanitizer sees reads behind it. */
static const char *run(const char *input, size_t count, size_t first, size_t step)
{
    static struct words words;
    struct http_reader reader;
    words = (struct words){.count = 0};
    http_reader_init(&reader, HEAD_MAX, BODY_MAX);
    for (size_t from = 0, to = first; from < count; from = to, to = count - from < step ? count : from + step) {
        uint8_t *slice = malloc(to - from + 1);
        memcpy(slice, input + from, to - from);
        struct bytes in = bytes_of(slice, to - from);
        enum rc rc = http_reader_feed(&reader, &in);
        size_t left = in.count;
        free(slice);
        if (rc == RC_OK) {
            struct bytes rest = bytes_of((uint8_t *)(uintptr_t)input + to - left, count - to + left);
            describe(http_reader_request(&reader), rest, &words);
        } else if (rc_is_error(rc)) {
            add(&words, "status %u", http_reader_status(&reader));
            cr_assert_eq(http_reader_feed(&reader, &in), rc, "stays in error");
        } else {
            cr_assert_eq(left, 0);
            continue;
        }
        break;
    }
    http_reader_fini(&reader);
    if (words.count == 0) add(&words, "more");
    return words.text;
}

#define HOST "Host: x\r\n"

struct row {
    const char *input;
    const char *words;
};

static const struct row good[] = {
    {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1 keep [Host=x] {}|"},
    {"GET /a/b?c=d?e HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a/b?c=d?e HTTP/1.1 keep [Host=x] {}|"},
    {"GET /a? HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a? HTTP/1.1 keep [Host=x] {}|"},
    {"GET /room/%C3%A4 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /room/%C3%A4 HTTP/1.1 keep [Host=x] {}|"},
    {"GET http://x.org/a?b HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a?b HTTP/1.1 keep [Host=x] {}|"},
    {"GET http://x.org?b=/c HTTP/1.1\r\nHost: x\r\n\r\n", "GET /?b=/c HTTP/1.1 keep [Host=x] {}|"},
    {"GET ws://x.org HTTP/1.1\r\nHost: x\r\n\r\n", "GET / HTTP/1.1 keep [Host=x] {}|"},
    {"GET /see/http://x.org/a HTTP/1.1\r\nHost: x\r\n\r\n", "GET /see/http://x.org/a HTTP/1.1 keep [Host=x] {}|"},
    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "OPTIONS * HTTP/1.1 keep [Host=x] {}|"},
    {"PURGE / HTTP/1.1\r\nHost: x\r\n\r\n", "other / HTTP/1.1 keep [Host=x] {}|"},
    {"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\nrest", "other x:80 HTTP/1.1 close [Host=x] {}|rest"},
    {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0 close  {}|"},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / HTTP/1.0 keep [Connection=Keep-Alive] {}|"},
    {"GET / HTTP/1.1\r\nhOsT: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1 close [hOsT=x][Connection=close] {}|"},
    {"GET / HTTP/1.1\r\nHost:x\r\nA:\r\nB: \t \r\nC: \tc  d\t \r\n\r\n",
     "GET / HTTP/1.1 keep [Host=x][A=][B=][C=c  d] {}|"},
    {"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nGET /next", "GET / HTTP/1.1 keep [Host=x] {}|GET /next"},
    {"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET",
     "POST /p HTTP/1.1 keep [Host=x][Content-Length=5] {hello}|GET"},
    {"POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nGET",
     "POST /p HTTP/1.1 keep [Host=x][Content-Length=0] {}|GET"},
    {"PUT /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n3;e=f\r\nhel\r\n02\r\nlo\r\n0\r\nT: "
     "t\r\n\r\nGET",
     "PUT /p HTTP/1.1 keep [Host=x][Transfer-Encoding=Chunked] {hello}|GET"},
    {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x85qqqq",
     "GET / HTTP/1.1 keep [Host=x][Connection=Upgrade][Upgrade=websocket] {}|\x81\x85qqqq"},
    {"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
     "GET / HTTP/1.1 keep [Host=x][Connection=Upgrade, HTTP2-Settings][Upgrade=h2c] {}|"},
    {"POST / HTTP/1.0\r\nContent-Length: 1\r\nExpect: whatever\r\n\r\na",
     "POST / HTTP/1.0 close [Content-Length=1][Expect=whatever] {a}|"},
    {"GET / HTTP/1.2\r\nHost: x\r\n\r\n", "GET / HTTP/1.1 keep [Host=x] {}|"}, /* the highest we know */
    {"GET / HTTP/1.9\r\nHost: x\r\nConnection: close\r\n\r\n", "GET / HTTP/1.1 close [Host=x][Connection=close] {}|"},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1 keep [Host=] {}|"},
    {"GET http://[::1]:8080/a HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a HTTP/1.1 keep [Host=x] {}|"},
    {"GET / HTTP/1.1\r\nHost: x\r\n", "more"},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell", "more"},
};

static const struct row bad[] = {
    {"GET / HTTP/1.1\r\n\r\n", "status 400"}, /* no Host, two Hosts */
    {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", "status 400"},
    {"GET / HTTP/1.0\r\nHost: x\r\nhost: y\r\n\r\n", "status 400"},
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "status 400"},
    {"GET http://user@x/ HTTP/1.1\r\nHost: x\r\n\r\n", "status 400"},
    {"GET http://x:port/ HTTP/1.1\r\nHost: x\r\n\r\n", "status 400"},
    {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", "status 400"},
    {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "status 400"}, /* folded */
    {"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", "status 400"},
    {"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", "status 400"}, /* bare LF */
    {"GET / HTTP/1.1\nHost: x\r\n\r\n", "status 400"},
    {"GET / HTTP/1.1\r\nHost: x\r\nA\x01: b\r\n\r\n", "status 400"},
    {"GET / HTTP/1.1\r\nHost: x\r\nA: \x01\r\n\r\n", "status 400"},
    {"GET /\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n", "status 400"},
    {"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", "status 400"},
    {"GET / RTSP/1.0\r\nHost: x\r\n\r\n", "status 400"},
    {"SOURCE / ICE/1.0\r\nHost: x\r\n\r\n", "status 400"},
    {"GET / HTTQ/1.1\r\n\r\n", "status 400"},
    {"GET / HTTP/1.x\r\n\r\n", "status 400"},
    {"GET / HTTP/1.10\r\n\r\n", "status 400"},
    {"\x16\x03\x01\x02", "status 400"}, /* TLS */
    {"GET\t/ HTTP/1.1\r\n\r\n", "status 400"},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", "status 400"},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\na", "status 400"},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "status 400"},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n", "status 400"},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "status 400"},
    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "status 400"},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 33\r\n\r\n", "status 413"},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n", "status 413"},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
     "chunked\r\n\r\n20\r\n01234567890123456789012345678901\r\n1\r\nx\r\n",
     "status 413"},
    {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: the-best\r\n\r\na", "status 417"},
    {"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", "status 501"},
    {"get / HTTP/1.1\r\nHost: x\r\n\r\n", "status 501"},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "status 501"},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", "status 501"},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n", "status 501"},
    {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "status 400"},
    {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "status 505"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "status 505"},
    {"GET / HTTP/1.2\r\n\r\n", "status 400"}, /* as 1.1: it needs a Host */
    {"GET / HTTP/3.0\r\nHost: x\r\n\r\n", "status 505"},
    {"GET / HTTP/0.9\r\nHost: x\r\n\r\n", "status 505"},
    {"GET /\r\n\r\n", "status 505"}, /* HTTP/0.9 */
};

static void expect_words_at_all_cuts(const struct row *row)
{
    size_t count = strlen(row->input);
    cr_assert_str_eq(run(row->input, count, count, count), row->words, "%s", row->input);
    cr_assert_str_eq(run(row->input, count, 1, 1), row->words, "byte by byte: %s", row->input);
    for (size_t cut = 1; cut < count; cut++)
        cr_assert_str_eq(run(row->input, count, cut, count), row->words, "cut at %zu: %s", cut, row->input);
}

Test(http, good_requests_read_the_same_however_they_are_cut, .timeout = 20)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        expect_words_at_all_cuts(&good[i]);
}

Test(http, bad_requests_get_their_status_however_they_are_cut, .timeout = 20)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_words_at_all_cuts(&bad[i]);
}

/* Heads of exactly the bound and one byte more, in the target and in a header. */
Test(http, a_head_may_fill_its_bound_and_not_pass_it, .timeout = 10)
{
    static const char *const forms[] = {"GET /%s HTTP/1.1\r\n" HOST "\r\n",
                                        "GET / HTTP/1.1\r\n" HOST "A: %s\r\n\r\n"};
    for (size_t i = 0; i < 2; i++) {
        for (size_t over = 0; over < 2; over++) {
            char filling[HEAD_MAX + 1] = "", input[2 * HEAD_MAX];
            memset(filling, 'f', HEAD_MAX + over - (strlen(forms[i]) - 2));
            int count = snprintf(input, sizeof input, forms[i], filling);
            cr_assert_eq(count, HEAD_MAX + (int)over);
            for (size_t step = 1; step < HEAD_MAX + 2; step += 100) {
                const char *words = run(input, (size_t)count, step, step);
                cr_expect_eq(strcmp(words, "status 431") == 0, over == 1, "%zu in steps of %zu: %s", i, step, words);
            }
        }
    }
}

/* How a request with so many headers fares: the status, or 200. */
static unsigned status_with_headers(unsigned headers)
{
    struct words input = {.count = 0};
    add(&input, "GET / HTTP/1.1\r\n" HOST);
    for (unsigned i = 1; i < headers; i++)
        add(&input, "A: b\r\n");
    add(&input, "\r\n");
    struct http_reader reader;
    http_reader_init(&reader, HTTP_HEAD_BYTES_MAX, 0);
    struct bytes in = bytes_of(input.text, input.count);
    unsigned status = 200;
    if (http_reader_feed(&reader, &in) == RC_OK) {
        cr_expect_eq(http_request_header_count(http_reader_request(&reader), "a"), headers - 1);
    } else {
        status = http_reader_status(&reader);
    }
    http_reader_fini(&reader);
    return status;
}

Test(http, a_hundred_headers_pass_and_one_more_does_not, .timeout = 5)
{
    cr_expect_eq(status_with_headers(100), 200);
    cr_expect_eq(status_with_headers(101), 431);
}

/* Chunk extensions cost nothing to send and are not kept; they come to an end all the same. */
Test(http, endless_chunk_extensions_are_cut_short, .timeout = 5)
{
    struct http_reader reader;
    http_reader_init(&reader, HEAD_MAX, BODY_MAX);
    char start[] = "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;";
    struct bytes in = bytes_of(start, sizeof start - 1);
    enum rc rc = http_reader_feed(&reader, &in);
    size_t sent = 2;
    for (; rc == RC_MORE && sent < 100000; sent++) {
        char more = 'e';
        in = bytes_of(&more, 1);
        rc = http_reader_feed(&reader, &in);
    }
    cr_expect_eq(rc, RC_ETOOBIG);
    cr_expect_eq(http_reader_status(&reader), 413);
    cr_expect_eq(sent, HEAD_MAX + 2 * BODY_MAX + 1);
    http_reader_fini(&reader);
}

Test(http, pipelined_requests_come_one_by_one_from_one_reader, .timeout = 5)
{
    char input[] = "GET /1 HTTP/1.1\r\n" HOST "\r\nPOST /2 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab"
                   "GET /3 HTTP/1.1\r\n" HOST "\r\n";
    static const char *const paths[] = {"/1", "/2", "/3"};
    struct http_reader reader;
    struct bytes in = bytes_of(input, sizeof input - 1);
    http_reader_init(&reader, HEAD_MAX, BODY_MAX);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(http_reader_feed(&reader, &in), RC_OK);
        const struct http_request *request = http_reader_request(&reader);
        cr_expect(text_is(request->path, paths[i]), "request %zu", i);
        cr_expect_eq(request->body.count, i == 1 ? 2 : 0);
        http_reader_reset(&reader);
    }
    cr_expect_eq(in.count, 0);
    http_reader_fini(&reader);
    http_reader_fini(&reader);
}

Test(http, a_large_body_is_kept_whole_and_its_memory_given_back_at_reset, .timeout = 5)
{
    enum { LARGE = 100000 };
    struct http_reader reader;
    char *body = malloc(LARGE), head[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n";
    for (size_t i = 0; i < LARGE; i++)
        body[i] = (char)('a' + i % 26);
    http_reader_init(&reader, HEAD_MAX, LARGE);
    struct bytes in = bytes_of(head, sizeof head - 1);
    cr_assert_eq(http_reader_feed(&reader, &in), RC_MORE);
    for (size_t i = 0; i < LARGE; i += 1000) {
        in = bytes_of(body + i, 1000);
        cr_assert_eq(http_reader_feed(&reader, &in), i + 1000 < LARGE ? RC_MORE : RC_OK);
    }
    const struct http_request *request = http_reader_request(&reader);
    cr_expect_eq(request->body.count, LARGE);
    cr_expect_arr_eq(request->body.at, body, LARGE);
    cr_expect(text_is(request->path, "/"));
    cr_expect_leq(reader.buffer_bytes, HEAD_MAX + LARGE);
    http_reader_reset(&reader);
    cr_expect_null(reader.buffer);
    http_reader_fini(&reader);
    free(body);
}

Test(http, a_client_that_waits_for_100_is_told_of_once, .timeout = 5)
{
    char head[] = "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n", body[] = "ab";
    struct http_reader reader;
    http_reader_init(&reader, HEAD_MAX, BODY_MAX);
    struct bytes in = bytes_of(head, 20);
    cr_expect_eq(http_reader_feed(&reader, &in), RC_MORE);
    cr_expect_not(http_reader_take_continue(&reader));
    in = bytes_of(head + 20, sizeof head - 1 - 20);
    cr_expect_eq(http_reader_feed(&reader, &in), RC_MORE);
    cr_expect(http_reader_take_continue(&reader));
    cr_expect_not(http_reader_take_continue(&reader));
    in = bytes_of(body, 2);
    cr_expect_eq(http_reader_feed(&reader, &in), RC_OK);

    http_reader_reset(&reader); /* and not one who did not wait */
    in = bytes_of(head, sizeof head - 1);
    cr_expect_eq(http_reader_feed(&reader, &in), RC_MORE);
    in = bytes_of(body, 1);
    cr_expect_eq(http_reader_feed(&reader, &in), RC_MORE);
    cr_expect_not(http_reader_take_continue(&reader));
    http_reader_fini(&reader);
}

Test(http, headers_are_found_in_any_case_counted_and_searched_as_lists, .timeout = 5)
{
    char input[] = "GET / HTTP/1.1\r\n" HOST "Accept: a\r\nConnection: keep-alive, Upgrade\r\nX-Empty:\r\n"
                   "connection: ,, Foo ,\r\n\r\n";
    struct http_reader reader;
    struct bytes in = bytes_of(input, sizeof input - 1);
    http_reader_init(&reader, HEAD_MAX, BODY_MAX);
    cr_assert_eq(http_reader_feed(&reader, &in), RC_OK);
    const struct http_request *request = http_reader_request(&reader);
    cr_expect(text_is(http_request_header(request, "ACCEPT"), "a"));
    cr_expect(text_is(http_request_header(request, "x-empty"), ""));
    cr_expect_null(http_request_header(request, "accep").at);
    cr_expect_null(http_request_header(request, "accepted").at);
    cr_expect_eq(http_request_header_count(request, "CONNECTION"), 2);
    cr_expect_eq(http_request_header_count(request, "none"), 0);
    static const char *const has[] = {"keep-alive", "upgrade", "FOO"}, *const has_not[] = {"keep", "Upgrade,", "oo"};
    for (size_t i = 0; i < 3; i++) {
        cr_expect(http_request_header_has(request, "Connection", has[i]), "%s", has[i]);
        cr_expect_not(http_request_header_has(request, "Connection", has_not[i]), "%s", has_not[i]);
    }
    http_reader_fini(&reader);
}

Test(http, a_host_has_the_characters_of_rfc_3986_and_perhaps_a_port, .timeout = 5)
{
    static const char *const good_hosts[] = {
        "",         "localhost",      "example.com",  "EXAMPLE.com:443", "127.0.0.1:8080", "[::1]",
        "[::1]:80", "a_b-c.~d!$&'()", "*+,;=",        "xn--bcher-kva",   "%C3%BC.example", "a:",
        ":80",      "[v1.a:b]",       "[fe80::1%25]",
    };
    static const char *const bad_hosts[] = {
        " ",     "a b",   "a/b",  "a?b",   "a#b",      "user@a", "a\"b",    "<a>",   "a\\b", "a|b",    "a^b",
        "{a}",   "a`b",   "a\tb", "a\x7f", "\xc3\xbc", "a:b",    "a:80:80", "a:-1",  "[::1", "[::1]a", "[::1]80",
        "[a]:b", "[a b]", "::1",  "%",     "a%4",      "a%zz",   "a[b]",    "[[a]]", "]",
    };
    for (size_t i = 0; i < sizeof good_hosts / sizeof good_hosts[0]; i++)
        cr_expect(http_host_is_valid(text_of(good_hosts[i])), "%s", good_hosts[i]);
    for (size_t i = 0; i < sizeof bad_hosts / sizeof bad_hosts[0]; i++)
        cr_expect_not(http_host_is_valid(text_of(bad_hosts[i])), "%s", bad_hosts[i]);
    cr_expect_not(http_host_is_valid((struct text){"a\0b", 3}));
}

/* Whoever refuses a body can say by the head who asked, also when the body came with it and is no good. */
Test(http, the_head_is_known_before_its_body_and_after_a_bad_one, .timeout = 5)
{
    static const struct {
        const char *input;
        enum rc rc;
        bool has_head, has_body, is_head;
    } rows[] = {
        {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n", RC_MORE, true, true, false},
        {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", RC_OK, true, false, false},
        {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab", RC_OK, true, true, false},
        {"POST /p HTTP/1.1\r\n" HOST "Content-Length: 33\r\n\r\n", RC_ETOOBIG, true, true, false},
        {"POST /p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", RC_OK, true, true, false},
        {"HEAD /p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", RC_EPROTO, true, true, true},
        {"HEAD /p HTTP/1.1\r\n" HOST "\r\n", RC_OK, true, false, true},
        {"HEAD /p HTTP/1.1\r\nA b\r\n", RC_EPROTO, false, false, true},
        {"HEADS /p HTTP/1.1\r\n", RC_EPROTO, false, false, false},
        {"H", RC_MORE, false, false, true},
        {"\r\nHEAD", RC_MORE, false, false, true},
        {"GE", RC_MORE, false, false, false},
        {"\r\n", RC_MORE, false, false, false},
        {"HEX", RC_EPROTO, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char input[200];
        struct http_reader reader;
        int count = snprintf(input, sizeof input, "%s", rows[i].input);
        struct bytes in = bytes_of(input, (size_t)count);
        http_reader_init(&reader, HEAD_MAX, BODY_MAX);
        cr_expect_eq(http_reader_feed(&reader, &in), rows[i].rc, "%s", rows[i].input);
        const struct http_request *head = http_reader_head(&reader);
        cr_expect_eq(head != NULL, rows[i].has_head, "%s", rows[i].input);
        if (head != NULL) cr_expect(text_is(head->path, "/p"));
        cr_expect_eq(http_reader_has_body(&reader), rows[i].has_body, "%s", rows[i].input);
        cr_expect_eq(http_reader_is_head(&reader), rows[i].is_head, "%s", rows[i].input);
        http_reader_fini(&reader);
    }
}

#define NOSNIFF "X-Content-Type-Options: nosniff\r\n"

Test(http, answer_heads_are_whole_or_not_written, .timeout = 5)
{
    static const struct {
        unsigned status;
        const char *content_type, *date, *extra_headers;
        bool keep_alive;
        const char *head;
    } rows[] = {
        {200, "text/html", NULL, NULL, true,
         "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 7\r\nConnection: keep-alive\r\n" NOSNIFF
         "\r\n"},
        {405, NULL, "Sun, 06 Nov 1994 08:49:37 GMT", "Allow: GET\r\n", false,
         "HTTP/1.1 405 Method Not Allowed\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 7\r\n"
         "Connection: close\r\n" NOSNIFF "Allow: GET\r\n\r\n"},
        {204, NULL, NULL, NULL, true, "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n" NOSNIFF "\r\n"},
        {304, NULL, NULL, NULL, true, "HTTP/1.1 304 Not Modified\r\nConnection: keep-alive\r\n" NOSNIFF "\r\n"},
        {100, NULL, NULL, NULL, true, "HTTP/1.1 100 Continue\r\nConnection: keep-alive\r\n\r\n"},
        {299, NULL, NULL, NULL, true,
         "HTTP/1.1 299 Unknown\r\nContent-Length: 7\r\nConnection: keep-alive\r\n" NOSNIFF "\r\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char head[256];
        struct http_answer answer = {.status = rows[i].status,
                                     .content_type = rows[i].content_type,
                                     .body_bytes = 7,
                                     .keep_alive = rows[i].keep_alive,
                                     .date = rows[i].date,
                                     .extra_headers = rows[i].extra_headers};
        size_t count = http_answer_head(head, sizeof head, &answer);
        cr_expect_str_eq(head, rows[i].head);
        cr_expect_eq(count, strlen(rows[i].head));
        cr_expect_eq(http_answer_head(head, count, &answer), 0);
    }
}

Test(http, dates_are_written_as_the_rfc_wants_them, .timeout = 5)
{
    static const struct {
        uint64_t seconds;
        const char *date;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"}, /* RFC 9110 5.6.7 */
        {951782399, "Mon, 28 Feb 2000 23:59:59 GMT"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {253402300799, "Fri, 31 Dec 9999 23:59:59 GMT"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char date[HTTP_DATE_BYTES];
        http_date_write(date, rows[i].seconds);
        cr_expect_str_eq(date, rows[i].date);
    }
}
