/* net/upgrade.h - from an HTTP request to a WebSocket (RFC 6455 4.2): judge the request, write the answer.
 *
 * No extension is agreed to, and no subprotocol but on the operator's list: a client that offers others gets none,
 * which the RFC allows.
 * Pure functions; results are filled in place and hold only static strings. */
#pragma once

#include "net/http_request.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    UPGRADE_ACCEPT_BYTES = 28,           /* base64 of a SHA-1 */
    UPGRADE_SUBPROTOCOL_BYTES_MAX = 100, /* longer ones are not agreed to */
    UPGRADE_ANSWER_BYTES_MAX = 320,      /* what upgrade_answer() writes fits */
};

struct upgrade {
    unsigned status;                       /* 101: go ahead; 400, 403, 405, 426: refused (500: no SHA-1) */
    char accept[UPGRADE_ACCEPT_BYTES + 1]; /* 101: the Sec-WebSocket-Accept value */
    const char *text;                      /* refused: cause and cure in a sentence, for the answer's body */
    const char *extra_headers;             /* refused: header lines the status demands, or NULL */
};

/* Does the request ask for a WebSocket at all (Upgrade lists "websocket"), well or badly? Others are plain HTTP. */
bool upgrade_is_asked(const struct http_request *request);

/* Judges a complete request.
 *   method GET                                          else 405, Allow: GET
 *   HTTP/1.1, Upgrade lists websocket                   else 426
 *   Connection lists upgrade                            else 400
 *   Sec-WebSocket-Version at most once, and it is 13    else 400, and 426
 *   Sec-WebSocket-Key exactly once, base64 of 16 bytes  else 400
 *   Origin at most once, and on the allow-list          else 400, and 403
 * A 426 says what it takes: Upgrade: websocket and Sec-WebSocket-Version: 13.
 * origins: exact origins such as "https://example.com:8443" (compared in any case) or "*" for all; origins_count 0:
 * everybody may come. A request without Origin passes any list: browsers always send one, and the list protects
 * their users from foreign pages; a program can write whatever it likes there. */
void upgrade_check(const struct http_request *request, const char *const *origins, size_t origins_count,
                   struct upgrade *result);

/* Does a page ask that is not on such a list? Not so with none, with two, which is an error of its own, and on an empty
 * list. */
bool upgrade_is_foreign(const struct http_request *request, const char *const *origins, size_t origins_count);

/* Is this origin on the list? Nothing is on an empty one. */
bool upgrade_has_origin(const char *const *origins, size_t origins_count, struct text origin);

/* The first subprotocol that the client offers and that is among `names`, letter by letter (RFC 6455 4.2.2), or with
 * the name "any" the first that it offers; at == NULL: none. A view of the request. */
struct text upgrade_subprotocol(const struct http_request *request, const char *const *names, size_t names_count);

/* Writes the 101, with the subprotocol unless that is none; a refusal is an answer like any other (http_answer_head()).
 * Returns its bytes; 0 when max is too small, which UPGRADE_ANSWER_BYTES_MAX never is. */
size_t upgrade_answer(const struct upgrade *upgrade, struct text subprotocol, char *to, size_t max);
