/* net/http_request.c - walks over a raw head that is known to be well-formed. */
#include "net/http_request.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

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

struct http_header http_header_at(const struct http_request *request, uint32_t n)
{
    const struct http_line *line = &request->lines[n];
    const char *name = request->headers.at + line->at, *value = name + line->name_bytes + 1;
    return (struct http_header){
        .name = {name, line->name_bytes},
        .value = trimmed(text_between(value, request->headers.at + line->end)),
    };
}

/* The first line of that name from the n-th on; lines_count: there is none. */
static uint32_t find_line(const struct http_request *request, struct text name, uint32_t n)
{
    for (; n < request->lines_count; n++) {
        const struct http_line *line = &request->lines[n];
        if (line->name_bytes != name.count) continue;
        if (strncasecmp(request->headers.at + line->at, name.at, name.count) == 0) break;
    }
    return n;
}

struct text http_request_header(const struct http_request *request, const char *name)
{
    uint32_t n = find_line(request, text_of(name), 0);
    return n < request->lines_count ? http_header_at(request, n).value : (struct text){0};
}

unsigned http_request_header_count(const struct http_request *request, const char *name)
{
    struct text wanted = text_of(name);
    unsigned count = 0;
    for (uint32_t n = 0; (n = find_line(request, wanted, n)) < request->lines_count; n++) {
        count++;
    }
    return count;
}

bool http_list_take(struct text *list, struct text *element_r)
{
    if (list->at == NULL) return false;
    const char *end = list->at + list->count, *comma = find_or_end(*list, ',');
    *element_r = trimmed(text_between(list->at, comma));
    *list = comma < end ? text_between(comma + 1, end) : (struct text){0};
    return true;
}

static bool list_has(struct text list, const char *token)
{
    for (struct text element; http_list_take(&list, &element);) {
        if (text_is_nocase(element, token)) return true;
    }
    return false;
}

bool http_request_header_has(const struct http_request *request, const char *name, const char *token)
{
    struct text wanted = text_of(name);
    for (uint32_t n = 0; (n = find_line(request, wanted, n)) < request->lines_count; n++) {
        if (list_has(http_header_at(request, n).value, token)) return true;
    }
    return false;
}

/* What a host's name may hold (RFC 3986 3.2.2): unreserved, sub-delims, and escapes; in brackets colons too. */
static bool is_host_text(struct text text, bool in_brackets)
{
    static const char marks[] = "-._~!$&'()*+,;=%:";
    for (size_t i = 0; i < text.count; i++) {
        unsigned char c = (unsigned char)text.at[i];
        bool is_known = isalnum(c) || (c != '\0' && strchr(marks, c) != NULL);
        if (c >= 0x80 || !is_known || (c == ':' && !in_brackets)) return false;
        if (c != '%') continue;
        if (text.count - i < 3 || !isxdigit((unsigned char)text.at[i + 1]) ||
            !isxdigit((unsigned char)text.at[i + 2]))
            return false;
    }
    return true;
}

bool http_host_is_valid(struct text host)
{
    if (host.count == 0) return true;
    const char *start = host.at, *end = host.at + host.count;
    bool has_brackets = *start == '[';
    const char *name_end = find_or_end(host, has_brackets ? ']' : ':');
    if (has_brackets && name_end == end) return false;
    if (!is_host_text(text_between(start + has_brackets, name_end), has_brackets)) return false;
    const char *port = name_end + has_brackets;
    if (port < end && *port++ != ':') return false;
    for (; port < end; port++)
        if (!isdigit((unsigned char)*port)) return false;
    return true;
}

/* Splits the target into path and query. Of the absolute form, which a server must take (RFC 9112 3.2.2), the part
 * before the path is dropped. False: a fragment, which has no place here, or a host that is none. */
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
    if (!http_host_is_valid(text_between(scheme_end + 3, path))) return false;
    request->path = path < question ? text_between(path, question) : (struct text){.at = "/", .count = 1};
    return true;
}

/* The head has at most HTTP_HEADERS_MAX lines, each with a colon: llhttp and net/http have seen to it. */
static void find_lines(struct http_request *request)
{
    const char *start = request->headers.at, *end = start + request->headers.count, *next;
    request->lines_count = 0;
    for (const char *line = start; line < end; line = next) {
        const char *line_end = find_or_end(text_between(line, end), '\r');
        const char *colon = find_or_end(text_between(line, line_end), ':');
        assert(colon < line_end && request->lines_count < HTTP_HEADERS_MAX);
        request->lines[request->lines_count++] = (struct http_line){
            .at = (uint32_t)(line - start),
            .name_bytes = (uint32_t)(colon - line),
            .end = (uint32_t)(line_end - start),
        };
        next = find_or_end(text_between(line_end, end), '\n') + 1;
    }
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
    find_lines(request);
    return version.count > 5 && memcmp(version.at, "HTTP/", 5) == 0 && split_target(request, target);
}
