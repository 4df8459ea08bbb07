/* server/http/guest.h - guests: people whom no backend knows, who are let in by the server itself.
 *
 *   POST /guests         who am I? A new id with its token, or the same again for a token that is good
 *   POST /guests/auth    let me into a presence- channel, or a private-direct- channel of two guests
 *   POST /guests/signin  let me sign in, so that others can reach me
 * JSON in, JSON out, {"error":"sentence"} for a no. They belong to the first app, whose secret signs for them.
 *
 * Unsigned bodies are taken only of these, and small ones; and no page of another origin can send one: the type
 * application/json makes its browser ask first, which is answered 405, and an Origin has to be ours.
 * The files: guest.c judges requests and answers, guest_call.c does what they ask for, guest_token.c knows ids. */
#pragma once

#include "core/text.h"

#include <stdbool.h>

struct connection;
struct http_request;
struct options;
struct shard;

/* May guests sign in? *why_r, unless why_r is NULL, is a sentence for the log. */
bool guest_policy(const struct options *options, const char **why_r);

/* Is this path (as sent, without query) one of the three? */
bool guest_serves(struct text path);

/* The head of a request is complete, its body is not: may it come? False: refused, and the connection ends. */
bool guest_judge(struct shard *shard, struct connection *connection, const struct http_request *request);
/* A complete request: answers it. */
void guest_receive(struct shard *shard, struct connection *connection, const struct http_request *request);
