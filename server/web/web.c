/* server/web/web.c - the embedded files, and the chat page, filled in; who gets which. */
#include "server/web/web.h"

#include "server/web/web_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGES_MAX 32

/* The page loads only our own files and opens our own sockets; nobody may frame it. */
static const char headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cache-Control: no-cache\r\n";

static const char chat_path[] = "/index.html";
static const char dashboard_path[] = "/dashboard.html";
static const char icon_path[] = "/icon.svg"; /* of both */

static struct web_page pages[PAGES_MAX]; /* but for the chat's, whose place is empty */

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

/* ---- pages ---- */

/* Is this ringcast.js, or what it imports? */
static bool is_for_all_origins(const char *path)
{
    return strncmp(path, "/ringcast", strlen("/ringcast")) == 0;
}

static bool is_for_operators(const char *path)
{
    return strncmp(path, "/dashboard.", strlen("/dashboard.")) == 0;
}

static enum rc make_form(struct web_form *form, const char *path, struct text body, bool is_zipped, bool has_forms)
{
    static const char encoding[] = "Content-Encoding: gzip\r\n";
    char digest[DIGEST_MD5_HEX_BYTES + 1];
    if (digest_md5_hex(body, digest) != RC_OK) return RC_ENOMEM;
    snprintf(form->etag, sizeof form->etag, "\"%s\"", digest);
    int count = asprintf(&form->headers, "%sETag: %s\r\n%s%s%s", is_zipped ? encoding : "", form->etag,
                         has_forms ? "Vary: Accept-Encoding\r\n" : "",
                         is_for_all_origins(path) ? "Access-Control-Allow-Origin: *\r\n" : "", headers);
    if (count < 0) return RC_ENOMEM;
    form->unchanged = form->headers + (is_zipped ? strlen(encoding) : 0);
    form->body = body;
    return RC_OK;
}

static enum rc make_page(struct web_page *page, const char *path, struct text body, struct text zipped)
{
    bool has_forms = zipped.at != NULL;
    *page = (struct web_page){.type = content_type(path),
                              .is_for_all = is_for_all_origins(path),
                              .is_for_operators = is_for_operators(path)};
    enum rc rc = make_form(&page->plain, path, body, false, has_forms);
    return rc == RC_OK && has_forms ? make_form(&page->zipped, path, zipped, true, true) : rc;
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
static enum rc make_chat(struct web_page *page, const struct embedded_file *file, const struct options *options,
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
    if (rc == RC_OK) rc = make_page(page, file->path, (struct text){body.text, body.count}, (struct text){0});
    if (rc != RC_OK) free(body.text);
    return rc;
}

static enum rc make_file(struct web_page *page, const struct embedded_file *file)
{
    struct text body = {(const char *)file->bytes, file->count};
    struct text zipped = {(const char *)file->zipped, file->zipped_count};
    return make_page(page, file->path, body, zipped.count < body.count ? zipped : (struct text){0});
}

static bool is_chat(const struct embedded_file *file)
{
    return strcmp(file->path, chat_path) == 0;
}

enum rc web_init(void)
{
    if (web_files_count > PAGES_MAX) return RC_EFULL;
    for (size_t i = 0; i < web_files_count; i++) {
        enum rc rc = is_chat(&web_files[i]) ? RC_OK : make_file(&pages[i], &web_files[i]);
        if (rc == RC_OK) continue;
        web_fini();
        return rc;
    }
    return RC_OK;
}

static void page_fini(struct web_page *page)
{
    free(page->plain.headers);
    free(page->zipped.headers);
    *page = (struct web_page){0};
}

void web_fini(void)
{
    for (size_t i = 0; i < PAGES_MAX; i++)
        page_fini(&pages[i]);
}

enum rc web_chat_new(struct web_page **page_r, const struct options *options, bool has_guests)
{
    size_t i = 0;
    while (i < web_files_count && !is_chat(&web_files[i]))
        i++;
    struct web_page *page = calloc(1, sizeof *page);
    *page_r = NULL;
    if (page == NULL) return RC_ENOMEM;
    enum rc rc = i < web_files_count ? make_chat(page, &web_files[i], options, has_guests) : RC_ENOENT;
    page->is_chat = true;
    if (rc == RC_OK)
        *page_r = page;
    else
        web_chat_free(page);
    return rc;
}

void web_chat_free(struct web_page *page)
{
    if (page == NULL) return;
    free((char *)page->plain.body.at);
    page_fini(page);
    free(page);
}

static const struct web_page *find(struct text path)
{
    for (size_t i = 0; i < web_files_count; i++) {
        if (!is_chat(&web_files[i]) && text_is(path, web_files[i].path)) return &pages[i];
    }
    return NULL;
}

const struct web_page *web_find(struct text path)
{
    const struct web_page *page = find(path);
    return page != NULL && !page->is_for_operators ? page : NULL;
}

const struct web_page *web_find_for_operators(struct text path)
{
    const struct web_page *page = find(text_is(path, "/") ? text_of(dashboard_path) : path);
    bool is_theirs = page != NULL && (page->is_for_operators || text_is(path, icon_path));
    return is_theirs ? page : NULL;
}

/* ---- answers ---- */

/* Is the weight behind a coding 0, which is a no (RFC 9110 12.4.2)? */
static bool is_no(struct text weight)
{
    while (weight.count > 0 && (weight.at[0] == ' ' || weight.at[0] == '\t'))
        weight = text_behind(weight, 1);
    if (!text_has_prefix(weight, "q=0") && !text_has_prefix(weight, "Q=0")) return false;
    for (size_t i = strlen("q=0"); i < weight.count; i++) {
        if (weight.at[i] >= '1' && weight.at[i] <= '9') return false;
    }
    return true;
}

/* The name of a coding, and whether it is wanted. */
static struct text coding_of(struct text element, bool *is_wanted_r)
{
    const char *semicolon = element.count > 0 ? memchr(element.at, ';', element.count) : NULL;
    *is_wanted_r = true;
    if (semicolon == NULL) return element;
    struct text name = text_between(element.at, semicolon);
    *is_wanted_r = !is_no(text_behind(element, name.count + 1));
    while (name.count > 0 && (name.at[name.count - 1] == ' ' || name.at[name.count - 1] == '\t'))
        name.count--;
    return name;
}

static bool takes_gzip(const struct http_request *request)
{
    bool takes_any = false, takes = false, is_named = false, is_wanted;
    for (uint32_t n = 0; n < request->lines_count; n++) {
        struct http_header header = http_header_at(request, n);
        if (!text_is_nocase(header.name, "accept-encoding")) continue;
        for (struct text element; http_list_take(&header.value, &element);) {
            struct text name = coding_of(element, &is_wanted);
            if (text_is(name, "*")) takes_any = is_wanted;
            if (!text_is_nocase(name, "gzip") && !text_is_nocase(name, "x-gzip")) continue;
            is_named = true;
            takes = is_wanted;
        }
    }
    return is_named ? takes : takes_any;
}

/* Compared weakly, as RFC 9110 13.1.2 has it: a W/ in front means nothing. */
static bool has_already(const struct http_request *request, const char *etag)
{
    for (uint32_t n = 0; n < request->lines_count; n++) {
        struct http_header header = http_header_at(request, n);
        if (!text_is_nocase(header.name, "if-none-match")) continue;
        for (struct text element; http_list_take(&header.value, &element);) {
            if (text_has_prefix(element, "W/")) element = text_behind(element, 2);
            if (text_is(element, "*") || text_is(element, etag)) return true;
        }
    }
    return false;
}

struct web_answer web_answer(const struct web_page *page, const struct http_request *request)
{
    bool is_zipped = page->zipped.body.at != NULL && takes_gzip(request);
    const struct web_form *form = is_zipped ? &page->zipped : &page->plain;
    if (has_already(request, form->etag)) return (struct web_answer){.status = 304, .headers = form->unchanged};
    return (struct web_answer){.status = 200, .body = form->body, .headers = form->headers};
}
