/* net/http_request.h - one HTTP/1.x request as views into its raw head, and how to look things up in it.
 *
 * Where the header lines stand is found once; a look-up compares the names that are as long as its own.
 * net/http fills requests; their views live as long as it says there. Nothing is allocated here. */
#pragma once

#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_HEADERS_MAX = 100, /* lines */
};

enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_OTHER, /* one that llhttp knows and we do not; `method_text` names it */
};

/* A header line, by offsets from the first one. */
struct http_line {
    uint32_t at;
    uint32_t name_bytes;
    uint32_t end; /* of its value, before CRLF */
};

/* A complete request. Its views live until the reader is fed, reset or freed. */
struct http_request {
    enum http_method method;
    struct text method_text;
    struct text path;    /* before '?', as sent (percent-encoded); of http://host/path only the path, at least "/" */
    struct text query;   /* behind '?', as sent; NULL without a '?' */
    struct text headers; /* the raw header lines, each with its CRLF */
    struct text body;    /* empty when there is none */
    uint8_t version_minor; /* of HTTP/1.x: 0 or 1 */
    bool keep_alive;       /* may another request follow on this connection? */
    uint32_t lines_count;
    struct http_line lines[HTTP_HEADERS_MAX];
};

/* One header line; the value has no white space around it. */
struct http_header {
    struct text name;
    struct text value;
};

/* The n-th header line in the order sent; n is below lines_count. */
struct http_header http_header_at(const struct http_request *request, uint32_t n);

/* The value of the first header `name` (any case); at == NULL when there is none. */
struct text http_request_header(const struct http_request *request, const char *name);
/* How many header lines of that name there are: 2 where only one may stand is the sender's error. */
unsigned http_request_header_count(const struct http_request *request, const char *name);
/* Does any line of a list header ("Connection: keep-alive, Upgrade"; RFC 9110 5.6.1) hold this token, in any case? */
bool http_request_header_has(const struct http_request *request, const char *name, const char *token);

/* Can this be the value of Host, a host with perhaps a port (RFC 9110 7.2, RFC 3986 3.2.2)? An empty one can. */
bool http_host_is_valid(struct text host);

/* Takes the next element, perhaps an empty one, off a list (RFC 9110 5.6.1). False: there is none left. */
bool http_list_take(struct text *list, struct text *element_r);

/* For net/http: sets method_text, path, query and headers from a head that llhttp has passed, its empty line
 * included. False for what llhttp passes and we refuse: a protocol that is not HTTP (RTSP, ICE), a fragment in the
 * target, and in its absolute form a host that can be none. Empty lines before the request line are skipped (RFC 9112
 * 2.2). */
bool http_request_set_head(struct http_request *request, const char *head, size_t head_bytes);
