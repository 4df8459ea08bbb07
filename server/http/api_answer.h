/* server/http/api_answer.h - a request to the API, and what it is answered. */
#pragma once

#include "core/text.h"
#include "net/query_string.h"
#include "server/http/answer.h"

struct app;
struct connection;
struct http_request;
struct shard;

#define API_JSON ANSWER_JSON /* SDKs compare it to the letter */
#define API_TEXT ANSWER_TEXT

/* A request to the API under way. */
struct api_request {
    struct shard *shard;
    struct connection *connection;
    const struct http_request *http;
    const struct app *app;
    struct query_string query;
    struct text subject; /* the channel or user in the path, decoded; at == NULL: the route has none */
};

/* A refusal of a request: status and a sentence. Lives in static memory, or in `memory`. */
struct api_refusal {
    unsigned status; /* 0: not refused */
    const char *text;
    char *memory; /* NULL, or what `text` points to; free() it */
};

extern const struct api_refusal api_out_of_memory;

void api_answer(struct shard *shard, struct connection *connection, unsigned status, const char *type,
                struct text body);
void api_refuse(struct shard *shard, struct connection *connection, const struct api_refusal *refusal);
