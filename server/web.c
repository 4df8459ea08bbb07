/* server/web.c - ready-made answers for the embedded files. */
#include "server/web.h"

#include "server/web_files.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES_MAX 1024
#define PAGES_MAX      16

/* Only our own files and our own sockets; nobody may frame the page. */
static const char headers[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
    "Cache-Control: no-cache\r\n";

static const char chat_path[] = "/index.html";

/* The one place in index.html that depends on how the server was started; both have the same length but for a byte.
 */
static const char echo_off[] = "name=\"ringcast-lobby-echo\" content=\"no\"";
static const char echo_on[] = "name=\"ringcast-lobby-echo\" content=\"yes\"";

static struct web_page pages[PAGES_MAX];
static const struct web_page *chat;

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

static enum rc make_answer(struct web_answer *answer, const char *path, const char *body, size_t count, bool stay)
{
    char head[HEAD_BYTES_MAX];
    size_t head_bytes = http_answer_head(head, sizeof head, 200, content_type(path), count, stay, headers);
    answer->text = malloc(head_bytes + count);
    if (answer->text == NULL) return RC_ENOMEM;
    memcpy(answer->text, head, head_bytes);
    memcpy(answer->text + head_bytes, body, count);
    answer->head_bytes = (uint32_t)head_bytes;
    answer->bytes = (uint32_t)(head_bytes + count);
    return RC_OK;
}

static enum rc make_page(struct web_page *page, const char *path, const char *body, size_t count)
{
    enum rc rc = make_answer(&page->stay, path, body, count, true);
    return rc == RC_OK ? make_answer(&page->leave, path, body, count, false) : rc;
}

/* The chat page with the word about echo turned to yes. */
static enum rc make_echo_page(struct web_page *page, const struct web_file *file)
{
    const char *at = memmem(file->bytes, file->count, echo_off, strlen(echo_off));
    if (at == NULL) return RC_EINVAL;
    size_t before = (size_t)(at - (const char *)file->bytes);
    size_t after = file->count - before - strlen(echo_off);
    char *body = malloc(before + strlen(echo_on) + after);
    if (body == NULL) return RC_ENOMEM;
    memcpy(body, file->bytes, before);
    memcpy(body + before, echo_on, strlen(echo_on));
    memcpy(body + before + strlen(echo_on), at + strlen(echo_off), after);
    enum rc rc = make_page(page, file->path, body, before + strlen(echo_on) + after);
    free(body);
    return rc;
}

enum rc web_init(bool lobby_echo)
{
    if (web_files_count > PAGES_MAX) return RC_EFULL;
    for (size_t i = 0; i < web_files_count; i++) {
        const struct web_file *file = &web_files[i];
        bool is_chat = strcmp(file->path, chat_path) == 0;
        enum rc rc = is_chat && lobby_echo ? make_echo_page(&pages[i], file)
                                           : make_page(&pages[i], file->path, (const char *)file->bytes, file->count);
        if (rc != RC_OK) {
            web_fini();
            return rc;
        }
        if (is_chat) chat = &pages[i];
    }
    return chat != NULL ? RC_OK : RC_ENOENT;
}

void web_fini(void)
{
    for (size_t i = 0; i < PAGES_MAX; i++) {
        free(pages[i].stay.text);
        free(pages[i].leave.text);
        pages[i] = (struct web_page){0};
    }
    chat = NULL;
}

const struct web_page *web_find(struct http_text path)
{
    for (size_t i = 0; i < web_files_count; i++) {
        if (http_text_is(path, web_files[i].path)) return &pages[i];
    }
    return NULL;
}

const struct web_page *web_chat(void)
{
    return chat;
}
