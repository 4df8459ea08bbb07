/* server/http/api_call.h - a call that asks homes.
 *
 * It is answered when the last of them has answered; meanwhile its connection is ANSWERING. */
#pragma once

#include "core/rc.h"
#include "core/text.h"
#include "server/connection/errand.h"

#include <stdbool.h>
#include <stdint.h>

struct api_request;
struct connection;
struct counters;
struct query;
struct shard;
struct span;

/* A call that asks homes, and what it makes of their answers. Owned by its connection. */
struct api_call {
    struct errand errand;
    uint32_t serial;
    uint32_t parts_count;
    uint32_t pending;      /* parts not yet answered, and one while they are being asked */
    enum rc rc;            /* RC_OK, or the first that a home could not do */
    unsigned info;         /* what the answer tells of the channel */
    const char *not_found; /* what RC_ENOENT means, a sentence; NULL: that the channel keeps no history */
    /* Writes the answer's body from the parts. */
    enum rc (*compose)(const struct api_call *call, struct span **body);
    struct query *parts[]; /* the answers, by part */
};

/* NULL: out of memory. */
struct api_call *api_call_new(struct shard *shard, uint32_t parts_count);
/* Drops the parts too. Accepts NULL. */
void api_call_free(struct counters *counters, struct api_call *call);
/* Asks what call->parts hold: each its channel's home; QUERY_CHANNELS, QUERY_TOP and QUERY_FOLLOW the home of its
 * number, QUERY_CONNECTION and QUERY_CLOSE the connection's shard. Takes over the call. */
void api_ask(const struct api_request *request, struct api_call *call);
/* Reads "user_count,subscription_count" into bits; those that are not in `allowed` are wrong. False: 400. */
bool api_read_info(struct text text, unsigned allowed, unsigned *info_r);
enum rc api_append(struct span **span, const char *text);

/* From a home: its part of the answer. Takes over the query. */
void api_answered(struct shard *shard, struct query *query);
