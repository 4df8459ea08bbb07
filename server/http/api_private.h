/* server/http/api_private.h - what the files of the HTTP API share; nobody else includes it. */
#pragma once

#include "core/span.h"
#include "net/http_request.h"
#include "net/query_string.h"
#include "server/config/app.h"
#include "server/connection/connection.h"
#include "server/home/query.h"
#include "server/http/answer.h"
#include "server/shard/shard.h"

#define API_JSON ANSWER_JSON /* SDKs compare it to the letter */
#define API_TEXT ANSWER_TEXT

/* One request under way. */
struct api_request {
    struct shard *shard;
    struct connection *connection;
    const struct http_request *http;
    struct app *app;
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

/* A call that asks homes, and what it makes of their answers. Owned by its connection. */
struct api_call {
    uint32_t serial;
    uint32_t parts_count;
    uint32_t pending; /* parts not yet answered, and one while they are being asked */
    enum rc rc;       /* RC_OK, or the first that a home could not do */
    unsigned info;    /* what the answer tells of the channel */
    /* Writes the answer's body from the parts. */
    enum rc (*compose)(const struct api_call *call, struct span **body);
    struct query *parts[]; /* the answers, by part */
};

/* api.c */
/* The path from /apps/ on: what is signed. */
struct text api_signed_path(struct text path);
void api_answer(struct shard *shard, struct connection *connection, unsigned status, const char *type,
                struct text body);
void api_refuse(struct shard *shard, struct connection *connection, const struct api_refusal *refusal);
/* NULL: out of memory. */
struct api_call *api_call_new(struct shard *shard, uint32_t parts_count);
/* Drops the parts too. Accepts NULL. */
void api_call_free(struct counters *counters, struct api_call *call);
/* Asks what call->parts hold: each its channel's home, QUERY_CHANNELS the home of its number. Takes over the call. */
void api_ask(const struct api_request *request, struct api_call *call);
/* Reads "user_count,subscription_count" into bits; those that are not in `allowed` are wrong. False: 400. */
bool api_read_info(struct text text, unsigned allowed, unsigned *info_r);
enum rc api_append(struct span **span, const char *text);

/* api_auth.c: is the request signed by the app? Reads request->query, which the caller gives back. */
struct api_refusal api_check_signature(struct api_request *request);
/* The body is complete: is it the one that was signed? */
struct api_refusal api_check_body(const struct api_request *request);

/* The endpoints. */
void api_publish_event(const struct api_request *request);
void api_publish_batch(const struct api_request *request);
void api_read_channels(const struct api_request *request);
void api_read_channel(const struct api_request *request);
void api_read_history(const struct api_request *request);
void api_read_users(const struct api_request *request);
void api_read_connections(const struct api_request *request);
void api_terminate(const struct api_request *request);
