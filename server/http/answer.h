/* server/http/answer.h - whole answers to the HTTP request that a connection is about.
 *
 * Each has a Date, which a shard writes once a second, and X-Content-Type-Options: nosniff. HEAD is answered with the
 * head alone (RFC 9110 9.3.2). extra_headers: whole lines, each with its CRLF, or NULL. */
#pragma once

#include "core/text.h"

#define ANSWER_JSON "application/json"
#define ANSWER_TEXT "text/plain; charset=utf-8"

struct connection;
struct shard;

/* Answers the connection's request, and makes ready for the next one if there may be one: a request whose body was not
 * read to its end was the last. */
void http_answer(struct shard *shard, struct connection *connection, unsigned status, const char *type,
                 struct text body, const char *extra_headers);
/* Like http_answer(), with a body that lives as long as the program, which is not copied. */
void answer_static(struct shard *shard, struct connection *connection, unsigned status, const char *type,
                   struct text body, const char *extra_headers);
/* Says a sentence of cause and cure, a line's length at most, after which the connection ends. */
void answer_refuse(struct shard *shard, struct connection *connection, unsigned status, const char *sentence,
                   const char *extra_headers);
