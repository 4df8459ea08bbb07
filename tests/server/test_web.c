/* tests/server/test_web.c - the embedded page is served whole, with the headers that keep it safe. */
#include "server/web.h"

#include "server/options.h"
#include "server/web_files.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char first_key[] = "first-key", second_key[] = "second-key";
static struct app apps[] = {{.key = first_key, .event_bytes_max = 678}, {.key = second_key, .event_bytes_max = 9}};
static struct options options;

static void make_pages(void)
{
    options = (struct options){.message_bytes_max = 12345, .app = {.items = apps, .count = 2}};
    cr_assert_eq(web_init(&options, false), RC_OK);
}

TestSuite(web, .init = make_pages, .fini = web_fini, .timeout = 10);

static bool holds(struct text text, const char *words)
{
    return memmem(text.at, text.count, words, strlen(words)) != NULL;
}

static void check_page(const struct web_page *page, const char *type)
{
    struct text headers = text_of(page->headers);
    cr_expect_str_eq(page->type, type);
    cr_expect(holds(headers, "Content-Security-Policy: default-src 'none';"));
    cr_expect(holds(headers, "frame-ancestors 'none'"));
    cr_expect_not(holds(headers, "unsafe-inline"));
}

Test(web, every_file_is_served_as_it_is_with_its_type)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".css", "text/css; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".svg", "image/svg+xml"}};
    size_t found = 0;
    for (size_t i = 0; i < web_files_count; i++) {
        const struct web_file *file = &web_files[i];
        const struct web_page *page = web_find(text_of(file->path));
        for (size_t t = 0; t < sizeof types / sizeof types[0]; t++) {
            if (strcmp(strrchr(file->path, '.'), types[t].ending) != 0) continue;
            cr_assert_not_null(page, "%s", file->path);
            check_page(page, types[t].type);
            cr_expect(text_equals(page->body, (struct text){(const char *)file->bytes, file->count}));
            found++;
        }
    }
    cr_expect_eq(found, web_files_count - 1, "all but the chat itself");
}

static void check_meta(const char *name, const char *value)
{
    char line[100];
    snprintf(line, sizeof line, "<meta name=\"%s\" content=\"%s\">", name, value);
    cr_expect(holds(web_chat()->body, line), "%s", line);
}

Test(web, the_chat_is_told_what_it_must_know_of_the_server)
{
    check_page(web_chat(), "text/html; charset=utf-8");
    check_meta("ringcast-key", "first-key");
    check_meta("ringcast-guests", "no");
    check_meta("ringcast-lobby-echo", "no");
    check_meta("ringcast-message-bytes-max", "12345");
    check_meta("ringcast-event-bytes-max", "678");
    web_fini();
    options.lobby_echo = true;
    options.message_bytes_max = 64 * MIB;
    apps[0].event_bytes_max = 16 * MIB;
    cr_assert_eq(web_init(&options, true), RC_OK);
    check_page(web_chat(), "text/html; charset=utf-8");
    check_meta("ringcast-guests", "yes");
    check_meta("ringcast-lobby-echo", "yes");
    check_meta("ringcast-message-bytes-max", "67108864");
    check_meta("ringcast-event-bytes-max", "16777216");
}

Test(web, a_server_without_an_app_tells_the_chat_of_none)
{
    web_fini();
    options.app = (struct app_list){0};
    cr_assert_eq(web_init(&options, false), RC_OK);
    check_page(web_chat(), "text/html; charset=utf-8");
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
