/* net/http_request.c - walks over a raw head that is known to be well-formed. */
#include "net/http_request.h"

#include <assert.h>
#include <string.h>

/* The first `c` of the text, or its end. */
static const char *find_or_end(struct text text, char c)
{
    const char *found = memchr(text.at, c, text.count);
    return found != NULL ? found : text.at + text.count;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct text trimmed(struct text text)
{
    while (text.count > 0 && is_space(text.at[0])) {
        text.at++;
        text.count--;
    }
    while (text.count > 0 && is_space(text.at[text.count - 1]))
        text.count--;
    return text;
}

bool http_header_next(const struct http_request *request, struct http_header *header)
{
    const char *end = request->headers.at + request->headers.count;
    const char *line = request->headers.at;
    if (header->value.at != NULL) {
        const char *rest = header->value.at + header->value.count;
        line = find_or_end(text_between(rest, end), '\n') + 1;
    }
    if (line >= end) return false;
    const char *line_end = find_or_end(text_between(line, end), '\r');
    const char *colon = find_or_end(text_between(line, line_end), ':');
    assert(colon < line_end);
    header->name = text_between(line, colon);
    header->value = trimmed(text_between(colon + 1, line_end));
    return true;
}

struct text http_request_header(const struct http_request *request, const char *name)
{
    struct http_header header = {0};
    while (http_header_next(request, &header)) {
        if (text_is_nocase(header.name, name)) return header.value;
    }
    return (struct text){0};
}

unsigned http_request_header_count(const struct http_request *request, const char *name)
{
    struct http_header header = {0};
    unsigned count = 0;
    while (http_header_next(request, &header))
        count += text_is_nocase(header.name, name);
    return count;
}

static bool list_has(struct text list, const char *token)
{
    const char *end = list.at + list.count;
    for (const char *at = list.at; at <= end;) {
        const char *comma = find_or_end(text_between(at, end), ',');
        if (text_is_nocase(trimmed(text_between(at, comma)), token)) return true;
        at = comma + 1;
    }
    return false;
}

bool http_request_header_has(const struct http_request *request, const char *name, const char *token)
{
    struct http_header header = {0};
    while (http_header_next(request, &header)) {
        if (text_is_nocase(header.name, name) && list_has(header.value, token)) return true;
    }
    return false;
}

/* Splits the target into path and query. Of the absolute form, which a server must take (RFC 9112 3.2.2), the part
 * before the path is dropped. False: a fragment, which has no place here. */
static bool split_target(struct http_request *request, struct text target)
{
    const char *end = target.at + target.count;
    if (find_or_end(target, '#') != end) return false;
    const char *question = find_or_end(target, '?');
    request->path = text_between(target.at, question);
    request->query = question < end ? text_between(question + 1, end) : (struct text){0};

    const char *scheme_end = memmem(request->path.at, request->path.count, "://", 3);
    if (target.at[0] == '/' || scheme_end == NULL) return true;
    const char *path = find_or_end(text_between(scheme_end + 3, question), '/');
    request->path = path < question ? text_between(path, question) : (struct text){.at = "/", .count = 1};
    return true;
}

bool http_request_set_head(struct http_request *request, const char *head, size_t head_bytes)
{
    const char *line = head, *end = head + head_bytes;
    while (*line == '\r' || *line == '\n')
        line++;
    const char *line_end = find_or_end(text_between(line, end), '\r');
    request->method_text = text_between(line, find_or_end(text_between(line, line_end), ' '));
    struct text rest = trimmed(text_between(request->method_text.at + request->method_text.count, line_end));
    struct text target = text_between(rest.at, find_or_end(rest, ' '));
    struct text version = trimmed(text_between(target.at + target.count, line_end));
    request->headers = text_between(line_end + 2, end - 2);
    return version.count > 5 && memcmp(version.at, "HTTP/", 5) == 0 && split_target(request, target);
}
