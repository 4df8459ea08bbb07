/* tests/server/web/test_web.c - the embedded page is served whole, with the headers that keep it safe. */
#include "server/web/web.h"

#include "net/http.h"
#include "server/config/options.h"
#include "server/web/web_files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char first_key[] = "first-key", second_key[] = "second-key";
static struct app apps[] = {{.key = first_key, .event_bytes_max = 678}, {.key = second_key, .event_bytes_max = 9}};
static struct options options;

static struct web_page *chat;

static void make_chat(bool has_guests)
{
    web_chat_free(chat);
    cr_assert_eq(web_chat_new(&chat, &options, has_guests), RC_OK);
}

static void make_pages(void)
{
    options = (struct options){.message_bytes_max = 12345, .app = {.items = apps, .count = 2}};
    cr_assert_eq(web_init(), RC_OK);
    make_chat(false);
}

static void free_pages(void)
{
    web_chat_free(chat);
    web_fini();
}

TestSuite(web, .init = make_pages, .fini = free_pages, .timeout = 10);

static bool holds(struct text text, const char *words)
{
    return memmem(text.at, text.count, words, strlen(words)) != NULL;
}

static void check_form(const struct web_form *form, bool is_zipped, bool has_forms)
{
    char etag[80];
    struct text headers = text_of(form->headers), unchanged = text_of(form->unchanged);
    snprintf(etag, sizeof etag, "ETag: %s\r\n", form->etag);
    cr_expect(holds(headers, "Content-Security-Policy: default-src 'none';"));
    cr_expect(holds(headers, "frame-ancestors 'none'"));
    cr_expect_not(holds(headers, "unsafe-inline"));
    cr_expect(form->etag[0] == '"' && form->etag[strlen(form->etag) - 1] == '"', "a strong one");
    cr_expect(holds(headers, etag));
    cr_expect(holds(unchanged, etag));
    cr_expect(holds(unchanged, "Cache-Control: no-cache\r\n"));
    cr_expect_eq(holds(headers, "Content-Encoding: gzip\r\n"), is_zipped);
    cr_expect_not(holds(unchanged, "Content-Encoding"));
    cr_expect_eq(holds(unchanged, "Vary: Accept-Encoding\r\n"), has_forms);
}

static void check_page(const struct web_page *page, const char *type)
{
    bool has_forms = page->zipped.body.at != NULL;
    cr_expect_str_eq(page->type, type);
    check_form(&page->plain, false, has_forms);
    if (!has_forms) return;
    check_form(&page->zipped, true, true);
    cr_expect_str_neq(page->plain.etag, page->zipped.etag, "a form has its own: RFC 9110 8.8.3.3");
}

Test(web, every_file_is_served_as_it_is_with_its_type)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".css", "text/css; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".svg", "image/svg+xml"}};
    size_t found = 0;
    for (size_t i = 0; i < web_files_count; i++) {
        const struct embedded_file *file = &web_files[i];
        bool is_dashboard = strncmp(file->path, "/dashboard.", 11) == 0;
        const struct web_page *page = (is_dashboard ? web_find_for_operators : web_find)(text_of(file->path));
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
            if (strcmp(strrchr(file->path, '.'), types[t].ending) != 0) continue;
            cr_assert_not_null(page, "%s", file->path);
            check_page(page, types[t].type);
            cr_expect(text_equals(page->plain.body, (struct text){(const char *)file->bytes, file->count}));
            cr_expect_lt(page->zipped.body.count, file->count / 2 + 100, "%s", file->path);
            bool is_shared = strncmp(file->path, "/ringcast", 9) == 0;
            cr_expect_eq(holds(text_of(page->plain.headers), "Access-Control-Allow-Origin: *\r\n"), is_shared);
            cr_expect_eq(holds(text_of(page->zipped.unchanged), "Access-Control-Allow-Origin: *\r\n"), is_shared);
            found++;
        }
    }
    cr_expect_eq(found, web_files_count - 2, "all but the chat itself and the dashboard");
}

Test(web, the_dashboard_is_found_by_operators_alone)
{
    static const char *const paths[] = {"/dashboard.html", "/dashboard.css", "/dashboard.js"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        cr_expect_null(web_find(text_of(paths[i])), "%s", paths[i]);
        cr_expect_not_null(web_find_for_operators(text_of(paths[i])), "%s", paths[i]);
    }
    check_page(web_find_for_operators(text_of("/")), "text/html; charset=utf-8");
    cr_expect_eq(web_find_for_operators(text_of("/icon.svg")), web_find(text_of("/icon.svg")));
    cr_expect_null(web_find_for_operators(text_of("/index.html")), "the chat is for clients");
    cr_expect_null(web_find_for_operators(text_of("/chat.js")));
}

static void check_meta(const char *name, const char *value)
{
    char line[100];
    snprintf(line, sizeof line, "<meta name=\"%s\" content=\"%s\">", name, value);
    cr_expect(holds(chat->plain.body, line), "%s", line);
}

Test(web, the_chat_is_told_what_it_must_know_of_the_server)
{
    check_page(chat, "text/html; charset=utf-8");
    check_meta("ringcast-key", "first-key");
    check_meta("ringcast-guests", "no");
    check_meta("ringcast-lobby-echo", "no");
    check_meta("ringcast-message-bytes-max", "12345");
    check_meta("ringcast-event-bytes-max", "678");
    options.lobby_echo = true;
    options.message_bytes_max = 64 * MIB;
    apps[0].event_bytes_max = 16 * MIB;
    make_chat(true);
    check_page(chat, "text/html; charset=utf-8");
    check_meta("ringcast-guests", "yes");
    check_meta("ringcast-lobby-echo", "yes");
    check_meta("ringcast-message-bytes-max", "67108864");
    check_meta("ringcast-event-bytes-max", "16777216");
}

Test(web, a_server_without_an_app_tells_the_chat_of_none)
{
    options.app = (struct app_list){0};
    make_chat(false);
    check_page(chat, "text/html; charset=utf-8");
    check_meta("ringcast-key", "");
    check_meta("ringcast-event-bytes-max", "0");
}

Test(web, other_paths_find_nothing)
{
    static const char *const paths[] = {"",        "/",       "/index.html", "/chat.jsx",
                                        "/chat.j", "chat.js", "/CHAT.JS",    "/../x"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        cr_expect_null(web_find(text_of(paths[i])), "%s", paths[i]);
    }
}

/* Nothing that the policy above would have to stop: no other host, no script in the page. */
Test(web, no_file_asks_for_another_host)
{
    static const char *const foreign[] = {"src=\"http", "href=\"http", "src=\"//",
                                          "href=\"//",  "@import",     "url(http"};
    for (size_t i = 0; i < web_files_count; i++) {
        for (size_t f = 0; f < sizeof foreign / sizeof foreign[0]; f++) {
            cr_expect_null(memmem(web_files[i].bytes, web_files[i].count, foreign[f], strlen(foreign[f])), "%s: %s",
                           web_files[i].path, foreign[f]);
        }
    }
}

/* What a GET with these headers is answered. */
static struct web_answer answer_to(const struct web_page *page, const char *headers)
{
    char input[1024];
    struct http_reader reader;
    int count = snprintf(input, sizeof input, "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
    struct bytes in = bytes_of(input, (size_t)count);
    http_reader_init(&reader, sizeof input, 0);
    cr_assert_eq(http_reader_feed(&reader, &in), RC_OK, "%s", headers);
    struct web_answer answer = web_answer(page, http_reader_request(&reader));
    http_reader_fini(&reader);
    return answer;
}

Test(web, who_takes_gzip_gets_it)
{
    static const struct {
        const char *accepted;
        bool is_zipped;
    } rows[] = {
        {"gzip", true},
        {"gzip, deflate, br", true},
        {"br;q=1.0, GZIP;q=0.8, *;q=0.1", true},
        {"*", true},
        {"x-gzip", true},
        {"gzip ; q=0.001", true},
        {"identity;q=1, *;q=0", false},
        {"", false},
        {"gzip;q=0", false},
        {"gzip;q=0.000", false},
        {"gzip; q=0, *", false},
        {"br", false},
        {"*;q=0", false},
        {"gzipped", false},
        {"deflate, , gzip", true},
    };
    const struct web_page *page = web_find(text_of("/ringcast.js"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char headers[200];
        snprintf(headers, sizeof headers, "Accept-Encoding: %s\r\n", rows[i].accepted);
        struct web_answer answer = answer_to(page, headers);
        cr_expect_eq(answer.status, 200);
        cr_expect_eq(answer.headers == page->zipped.headers, rows[i].is_zipped, "%s", rows[i].accepted);
        cr_expect(text_equals(answer.body, rows[i].is_zipped ? page->zipped.body : page->plain.body));
        cr_expect_eq(answer_to(chat, headers).headers, chat->plain.headers, "it is filled in, hence not compressed");
    }
    cr_expect_eq(answer_to(page, "").headers, page->plain.headers);
    cr_expect_eq(answer_to(page, "Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n").headers, page->zipped.headers);
}

Test(web, who_has_it_already_is_told_so)
{
    const struct web_page *page = web_find(text_of("/ringcast.js"));
    static const struct {
        const char *before, *behind;
        bool is_known;
    } rows[] = {{"", "", true}, {"\"x\", ", ", \"y\"", true}, {"W/", "", true}, {"x", "", false}, {"*, ", "x", true}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (uint32_t form = 0; form < 4; form++) {
            const struct web_form *named = form & 1 ? &page->zipped : &page->plain;
            const struct web_form *sent = form & 2 ? &page->zipped : &page->plain;
            char headers[300];
            snprintf(headers, sizeof headers, "If-None-Match: %s%s%s\r\n%s", rows[i].before, named->etag,
                     rows[i].behind, form & 2 ? "Accept-Encoding: gzip\r\n" : "");
            struct web_answer answer = answer_to(page, headers);
            bool is_known = rows[i].is_known && (named == sent || rows[i].before[0] == '*');
            cr_expect_eq(answer.status, is_known ? 304 : 200, "%s", headers);
            cr_expect_eq(answer.headers, is_known ? sent->unchanged : sent->headers);
            cr_expect_eq(answer.body.count, is_known ? 0 : sent->body.count);
        }
    }
}

Test(web, what_differs_has_another_etag)
{
    char before[WEB_ETAG_BYTES];
    snprintf(before, sizeof before, "%s", chat->plain.etag);
    cr_expect_str_neq(web_find(text_of("/chat.js"))->plain.etag, web_find(text_of("/chat.css"))->plain.etag);
    options.lobby_echo = true;
    make_chat(false);
    cr_expect_str_neq(chat->plain.etag, before);
}
