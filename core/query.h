/* core/query.h - what a backend's call, or a client that wants an answer, asks of a channel's home, and the
 * home's answer: the body of the letters ASK and ANSWER. It travels there and back, so that an answer needs no memory
 * but for its text.
 *
 * Ownership: whoever holds the letter; then the call that asked (server/http/api.h), or pusher_answered(). */
#pragma once

#include "core/message.h"
#include "core/name.h"
#include "core/position.h"
#include "core/rc.h"
#include "core/receipts.h"

#include <stdbool.h>
#include <stdint.h>

struct counters;
struct span;

enum query_kind {
    QUERY_PUBLISH,    /* put this message in order and deliver it; then as QUERY_CHANNEL */
    QUERY_CHANNEL,    /* how many are there? What is kept? */
    QUERY_USERS,      /* which members? */
    QUERY_CHANNELS,   /* which channels of this app live here, whose names begin so? Asked of every home */
    QUERY_TERMINATE,  /* close all who are signed in as this user */
    QUERY_HISTORY,    /* which messages were kept? */
    QUERY_REPORT,     /* all that is known of it, for an operator */
    QUERY_CONNECTION, /* the same of a connection; asked of its shard, which need be no home */
    QUERY_TOP,        /* the busiest channels and connections; asked of every home */
    QUERY_FOLLOW,     /* tell what becomes of its messages (server/shard/follow.h); and each time it is told */
    QUERY_CLOSE,      /* close it */
};

enum query_asker {
    QUERY_OF_BACKEND,  /* api_answered() takes the answer */
    QUERY_OF_CLIENT,   /* pusher_answered() does */
    QUERY_OF_ROOM,     /* lobby_answered() does */
    QUERY_OF_OPERATOR, /* trail_take() does */
};

/* What a call wants to know of a channel; bits. */
enum query_info {
    QUERY_INFO_USER_COUNT = 1 << 0,
    QUERY_INFO_SUBSCRIPTION_COUNT = 1 << 1,
    QUERY_INFO_CACHE = 1 << 2,
    QUERY_INFO_POSITION = 1 << 3,
};

#define QUERY_KEY_BYTES_MAX 64
#define QUERY_TAG_BYTES_MAX (6 * 64 + 2) /* a string of 64 bytes, each of them escaped */

#define HISTORY_ITEMS_MAX 1000 /* of one page; it also has at most replay_bytes_max */

/* Which part of a channel's history: the oldest messages behind `since`, or the newest before `before`. */
struct query_page {
    uint64_t since;
    uint64_t before; /* UINT64_MAX: up to the end */
    uint32_t limit;
    bool is_from_end;
    char epoch[EPOCH_BYTES + 1]; /* of `since`; "": whatever it is */
    bool is_of_other_epoch;      /* home: it is not the channel's, so what followed `since` is lost */
};

/* What a call has to be told of a channel. */
struct query_facts {
    uint32_t user_count;
    uint32_t subscription_count;
    struct position position;
};

struct query {
    enum query_kind kind;
    enum query_asker asker;
    uint32_t shard;                      /* who asks: this shard, */
    uint32_t slot;                       /* this connection, */
    uint32_t serial;                     /* in this call; a client: in this life of its slot, */
    uint32_t part;                       /* as this part of it */
    unsigned info;                       /* QUERY_FOLLOW: the number of the trail */
    struct name name;                    /* text stands behind the struct; QUERY_CHANNELS: what names begin with */
    struct message *message;             /* QUERY_PUBLISH; one reference */
    char key[RECEIPT_KEY_BYTES_MAX + 1]; /* QUERY_PUBLISH: query_set_key(); "": none */
    char tag[QUERY_TAG_BYTES_MAX + 1];   /* QUERY_HISTORY of a client: JSON that comes back as it is */
    struct query_page page;              /* QUERY_HISTORY */
    struct publisher connection;         /* QUERY_CONNECTION, QUERY_CLOSE; they have no name */
    struct query *next;                  /* home: who else waits for the same publish */

    enum rc rc; /* the answer: RC_OK, RC_ENOMEM; RC_ESTORE, RC_EFULL: not now; RC_ENOENT: no history, or not there */
    struct query_facts facts; /* position: the message's; not set: it is not kept */
    struct span *text; /* a piece of JSON, ready to be put into the answer; NULL: none. QUERY_CHANNEL: what is kept;
                        * QUERY_HISTORY, QUERY_REPORT, QUERY_CONNECTION: the members of an object */
};

/* NULL: out of memory. */
struct query *query_new(enum query_kind kind, const struct name *name);
/* Accepts NULL. */
void query_free(struct counters *counters, struct query *query);

/* A publish of nothing: it is answered when all that was published to the channel before it, from the same shard, is
 * out, and its answer comes behind that. NULL: out of memory. */
struct query *query_new_behind(struct counters *counters, const struct name *channel);

/* 1 to QUERY_KEY_BYTES_MAX bytes, no control characters. */
bool query_key_is_valid(struct text key);
/* The publisher's own name for its message, which is valid. Backends and clients have keys of their own: a client that
 * guesses a backend's cannot use it up. */
void query_set_key(struct query *query, enum query_asker asker, struct text key);
/* The key that query_set_key() was given. */
struct text query_key(const struct query *query);

/* Appends the text as a JSON string. */
enum rc query_append_string(struct span **span, struct text text);
/* Appends "user_count":2,"subscription_count":3,"offset":43,"epoch":"k3x9ab2m" as far as `info` asks and the channel
 * has them; nothing for nothing. */
enum rc query_append_facts(struct span **span, const struct name *channel, unsigned info,
                           const struct query_facts *facts);
