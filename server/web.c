/* server/web.c - the embedded files, and the chat page filled in. */
#include "server/web.h"

#include "server/web_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 32

/* Only our own files and our own sockets; nobody may frame the page. */
static const char headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cache-Control: no-cache\r\n";

static const char chat_path[] = "/index.html";

static struct web_page pages[PAGES_MAX];
static const struct web_page *chat;
static char *chat_text; /* its body, ours to free */

static const char *content_type(const char *path)
{
    static const struct {
        const char *ending;
        const char *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".svg", "image/svg+xml"}};
    const char *ending = strrchr(path, '.');
    for (size_t i = 0; ending != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(ending, types[i].ending) == 0) return types[i].type;
    }
    return "application/octet-stream";
}

static struct web_page make_page(const char *path, struct text body)
{
    return (struct web_page){.type = content_type(path), .headers = headers, .body = body};
}

/* A body under way: text that is replaced piece by piece. */
struct body {
    char *text;
    size_t count;
};

/* Puts `value` into <meta name="NAME" content="...">. RC_ENOENT: there is no such line. */
static enum rc fill_in(struct body *body, const char *name, const char *value)
{
    char before[80];
    int before_bytes = snprintf(before, sizeof before, "<meta name=\"%s\" content=\"", name);
    const char *start = memmem(body->text, body->count, before, (size_t)before_bytes);
    if (start == NULL) return RC_ENOENT;
    start += before_bytes;
    size_t head = (size_t)(start - body->text);
    const char *end = memchr(start, '"', body->count - head);
    if (end == NULL) return RC_ENOENT;
    size_t tail = body->count - (size_t)(end - body->text);
    struct body filled = {.count = head + strlen(value) + tail};
    filled.text = malloc(filled.count);
    if (filled.text == NULL) return RC_ENOMEM;
    memcpy(filled.text, body->text, head);
    memcpy(filled.text + head, value, strlen(value));
    memcpy(filled.text + head + strlen(value), end, tail);
    free(body->text);
    *body = filled;
    return RC_OK;
}

/* The chat page is told what it must know of this server. */
static enum rc make_chat(struct web_page *page, const struct web_file *file, const struct options *options,
                         bool has_guests)
{
    const struct app *app = options->app.count > 0 ? &options->app.items[APP_OF_ROOMS] : NULL;
    char message_bytes_max[24], event_bytes_max[24];
    snprintf(message_bytes_max, sizeof message_bytes_max, "%llu", (unsigned long long)options->message_bytes_max);
    snprintf(event_bytes_max, sizeof event_bytes_max, "%llu",
             (unsigned long long)(app != NULL ? app->event_bytes_max : 0));
    const struct {
        const char *name;
        const char *value; /* none of these needs escaping: words, digits, a key of A-Z a-z 0-9 _ - */
    } metas[] = {{"ringcast-key", app != NULL ? app->key : ""},
                 {"ringcast-guests", has_guests ? "yes" : "no"},
                 {"ringcast-lobby-echo", options->lobby_echo ? "yes" : "no"},
                 {"ringcast-message-bytes-max", message_bytes_max},
                 {"ringcast-event-bytes-max", event_bytes_max}};
    struct body body = {.text = malloc(file->count), .count = file->count};
    if (body.text == NULL) return RC_ENOMEM;
    memcpy(body.text, file->bytes, file->count);
    enum rc rc = RC_OK;
    for (size_t i = 0; rc == RC_OK && i < sizeof metas / sizeof metas[0]; i++) {
        rc = fill_in(&body, metas[i].name, metas[i].value);
    }
    if (rc != RC_OK) {
        free(body.text);
        return rc;
    }
    chat_text = body.text;
    *page = make_page(file->path, (struct text){body.text, body.count});
    return RC_OK;
}

enum rc web_init(const struct options *options, bool has_guests)
{
    if (web_files_count > PAGES_MAX) return RC_EFULL;
    for (size_t i = 0; i < web_files_count; i++) {
        const struct web_file *file = &web_files[i];
        pages[i] = make_page(file->path, (struct text){(const char *)file->bytes, file->count});
        if (strcmp(file->path, chat_path) != 0) continue;
        enum rc rc = make_chat(&pages[i], file, options, has_guests);
        if (rc != RC_OK) return rc;
        chat = &pages[i];
    }
    return chat != NULL ? RC_OK : RC_ENOENT;
}

void web_fini(void)
{
    free(chat_text);
    chat_text = NULL;
    chat = NULL;
}

const struct web_page *web_find(struct text path)
{
    for (size_t i = 0; i < web_files_count; i++) {
        if (&pages[i] != chat && text_is(path, web_files[i].path)) return &pages[i];
    }
    return NULL;
}

const struct web_page *web_chat(void)
{
    return chat;
}
