/* server/http/guest_private.h - what the files of guests share; nobody else includes it. */
#pragma once

#include "core/text.h"
#include "net/json.h"

#define GUEST_ANSWER_BYTES_MAX 2048 /* two names escaped twice, a key and signatures */

struct app;
struct shard;

/* A request whose body was read. */
struct guest_call {
    struct shard *shard;
    const struct app *app;
    yyjson_val *root; /* an object */
    char *to;         /* where the answer's body goes, GUEST_ANSWER_BYTES_MAX; moves on */
};

/* Why what a guest asks for is refused. */
struct guest_refusal {
    unsigned status; /* 0: it is not, and the answer is written */
    const char *text;
};

/* The three calls, one for each path, in guest_call.c. */
struct guest_refusal guest_call_hello(struct guest_call *call);
struct guest_refusal guest_call_auth(struct guest_call *call);
struct guest_refusal guest_call_sign_in(struct guest_call *call);
