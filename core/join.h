/* core/join.h - a connection's wish to be in a channel, as it travels to the channel's home and back.
 *
 * The way: made on the connection's shard, SUBSCRIBE to the home, which fills in its answer, SUBSCRIBED back. A
 * member's is then kept with the subscription and goes to the home a last time as UNSUBSCRIBE, so that leaving needs
 * no memory.
 * Ownership: whoever holds the letter. Memory: one block with its texts. */
#pragma once

#include "core/form.h"
#include "core/name.h"
#include "core/position.h"
#include "core/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct counters;
struct message;
struct roster;

/* What a client asks of the channel's history when it subscribes. */
struct recover {
    bool is_asked;        /* it wants to know the position */
    struct position from; /* and what it missed since; not set: nothing */
};

static inline bool recover_equals(const struct recover *a, const struct recover *b)
{
    return a->is_asked == b->is_asked && a->from.offset == b->from.offset &&
           strcmp(a->from.epoch, b->from.epoch) == 0;
}

struct join {
    struct name channel;
    struct text user_id;   /* who joins as a member of a presence channel; at == NULL: nobody in particular */
    struct text user_info; /* JSON; at == NULL: none */
    enum form form;
    uint32_t slot;   /* the connection; */
    uint32_t life;   /* its slot may be used again, hence the life; */
    uint32_t serial; /* and the subscription, of which it may have had several */

    struct recover recover;

    uint32_t from;            /* home: the shard it came from */
    bool is_recovered;        /* home: the greeting has all that it missed */
    bool is_looked_up;        /* home: what the store has for it is in `stored` */
    struct message *stored;   /* home: event frames up to and including its offset; NULL: none */
    enum rc rc;               /* the answer: RC_OK, RC_EFULL (no room for members), RC_ENOMEM */
    struct roster *roster;    /* RC_OK: by which name LEAVE is sent; not to be looked into elsewhere */
    bool is_online;           /* FORM_WATCH: the user is there now */
    struct message *greeting; /* what the connection is told first: a frame of its form; NULL: nothing */
    struct join *next;        /* home: of those who joined in the same turn */
};

/* Is a member's answer a list, or may it have what was missed? */
static inline bool join_may_be_long(const struct join *join)
{
    return join->form == FORM_EVENT && (join->user_id.at != NULL || join->recover.is_asked);
}

/* What it is made of; texts are copied. */
struct join_wish {
    struct name channel;
    enum form form;
    struct text user_id;
    struct text user_info;
    struct recover recover;
};

/* NULL: out of memory. */
struct join *join_new(const struct join_wish *wish);
/* Drops the greeting and what is stored too. Accepts NULL. */
void join_free(struct counters *counters, struct join *join);
