/* server/query.h - what a backend's call asks of a channel's home, and the home's answer: the body of the letters ASK
 * and ANSWER. It travels there and back, so that an answer needs no memory but for its text.
 *
 * Ownership: whoever holds the letter; then the call that asked (server/api.h). */
#pragma once

#include "core/name.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct counters;
struct message;
struct shard;
struct span;

enum query_kind {
    QUERY_PUBLISH,   /* put this message in order and deliver it; then as QUERY_CHANNEL */
    QUERY_CHANNEL,   /* how many are there? What is kept? */
    QUERY_USERS,     /* which members? */
    QUERY_CHANNELS,  /* which channels of this app live here, whose names begin so? Asked of every home */
    QUERY_TERMINATE, /* close all who are signed in as this user */
};

/* What a call wants to know of a channel; bits. */
enum query_info {
    QUERY_INFO_USER_COUNT = 1 << 0,
    QUERY_INFO_SUBSCRIPTION_COUNT = 1 << 1,
    QUERY_INFO_CACHE = 1 << 2,
};

struct query {
    enum query_kind kind;
    uint32_t shard;  /* who asks: this shard, */
    uint32_t slot;   /* this connection, */
    uint32_t serial; /* in this call, */
    uint32_t part;   /* as this part of it */
    unsigned info;
    struct name name;        /* text stands behind the struct; QUERY_CHANNELS: what names begin with */
    struct message *message; /* QUERY_PUBLISH; one reference */

    enum rc rc; /* the answer: RC_OK or RC_ENOMEM */
    uint32_t subscription_count;
    uint32_t user_count;
    struct span *text; /* a piece of JSON, ready to be put into the answer; NULL: none. QUERY_CHANNEL: what is kept */
};

/* NULL: out of memory. */
struct query *query_new(enum query_kind kind, const struct name *name);
/* Accepts NULL. */
void query_free(struct counters *counters, struct query *query);

/* At the home: fills in the answer and sends it back. Takes over the query. */
void query_take(struct shard *shard, struct query *query);

/* Appends "user_count":2,"subscription_count":3 as far as `info` asks and the channel has them; nothing for nothing. */
enum rc query_append_counts(struct span **span, const struct name *channel, unsigned info, uint32_t user_count,
                            uint32_t subscription_count);
