/* server/web/web.h - the chat page, the operator's dashboard, and what they are made of: the files of server/web,
 * embedded in the program.
 *
 * Files are made ready once at start and shared by all shards; connections send them from where they lie. They are
 * compressed when the program is built; the chat page, which is filled in for each configuration, is not. Each has an
 * ETag, a strong one: the digest of what is sent. Pages of other origins may import ringcast.js and what it imports. */
#pragma once

#include "core/rc.h"
#include "core/text.h"
#include "net/digest.h"
#include "net/http_request.h"
#include "server/config/options.h"

#include <stdbool.h>

#define WEB_ETAG_BYTES (DIGEST_MD5_HEX_BYTES + 3) /* in quotes, and a zero */

/* One way in which a page is sent. */
struct web_form {
    struct text body;      /* at == NULL: there is no such form */
    char *headers;         /* of a 200: whole lines, */
    const char *unchanged; /* and those of them that a 304 has */
    char etag[WEB_ETAG_BYTES];
};

struct web_page {
    const char *type; /* Content-Type */
    bool is_chat;     /* it goes with its configuration: what is sent is a copy */
    bool is_for_all;  /* ringcast.js and what it imports: for pages of all origins, also where there is no chat */
    bool is_for_operators; /* the dashboard */
    struct web_form plain;
    struct web_form zipped; /* as gzip */
};

struct web_answer {
    unsigned status; /* 200; 304: the client has it already */
    struct text body;
    const char *headers; /* whole lines */
};

/* Main thread, before the shards start. */
enum rc web_init(void);
void web_fini(void);

/* The chat itself, which stands at / and at every room. What it must know of the server comes from the options: it
 * talks to the first app (without one it cannot connect), and as a guest only if the server signs guests. RC_ENOENT:
 * the embedded page is not what this file expects. */
enum rc web_chat_new(struct web_page **page_r, const struct options *options, bool has_guests);
/* Accepts NULL. */
void web_chat_free(struct web_page *page);

/* What a GET of the page is answered: compressed for those who take gzip (RFC 9110 12.5.3), and nothing for those who
 * name what they would get (13.1.2). */
struct web_answer web_answer(const struct web_page *page, const struct http_request *request);

/* The file at this path; NULL: none. The chat's own is not among them: it connects to the address it stands at. Nor is
 * what is for operators alone. */
const struct web_page *web_find(struct text path);
/* What there is for operators: the dashboard at /, and what it is made of. */
const struct web_page *web_find_for_operators(struct text path);
