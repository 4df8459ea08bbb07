/* server/answer.h - a whole answer to the HTTP request that a connection is about. */
#pragma once

#include "core/text.h"

#define ANSWER_JSON "application/json"

struct connection;
struct shard;

/* Says it, and makes ready for the next request if there may be one: a request whose body was not read to its end was
 * the last. extra_headers: whole lines, each with its CRLF, or NULL. */
void answer(struct shard *shard, struct connection *connection, unsigned status, const char *type, struct text body,
            const char *extra_headers);
