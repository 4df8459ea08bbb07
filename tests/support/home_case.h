/* tests/support/home_case.h - a home alone: letters in, letters out. It is shard 0 of three, the only home, and has no
 * connection: what it sends to the others is found in their mailboxes, what it sends to itself is kept beside them.
 *
 * Not obvious: three libraries are answered for here. The webhooks, whose events become words; the store, whose jobs a
 * test answers by itself; and the clock, which goes only when the test says so.
 * What a test takes out is its own to drop; nothing may be left at the end, neither a letter nor memory. */
#pragma once

#include "core/form.h"
#include "core/join.h"
#include "core/letter.h"
#include "core/message.h"
#include "core/query.h"
#include "server/shard/shard.h"
#include "server/store/store_job.h"

#define CASE_SHARDS 3
#define CASE_NONE   255 /* a kind of letter: there is none */
#define CASE_FLAGS(settings, ...) \
    ((const char *const[]){"--app", "1001:key:secret " settings, __VA_ARGS__ __VA_OPT__(, ) NULL})

extern struct shard *case_home;

/* A home with these options, CASE_FLAGS() or another list with NULL at its end. */
void case_begin(const char *const flags[]);
/* Ends it; expects that nothing is left. */
void case_end(void);
/* The end of a turn. */
void case_settle(void);
/* That much time later, with what was due meanwhile. */
void case_pass(uint64_t ms);
uint64_t case_counter(enum counter counter);

/* ---- in ---- */

/* A letter comes, or one to itself. */
void case_give(uint32_t from, struct letter letter);

/* Somebody of that shard wants in; user_id NULL: as no member. A member's info is {"name":"ID"}. */
struct join *case_ask(uint32_t from, const char *channel, enum form form, const char *user_id);
/* The same, when it asks for what it missed since that position, or for the position if it is not set. */
struct join *case_ask_since(uint32_t from, const char *channel, const char *user_id, const struct position *since);
/* The same as case_ask(), and it is in when the turn is over; what its shard gets before its answer is dropped. */
struct join *case_join(uint32_t from, const char *channel, enum form form, const char *user_id);
/* Who joined leaves. */
void case_leave(struct join *join);

/* An event "ev" of a backend, or with that origin; data is a JSON string's inside. */
struct message *case_message(const char *channel, enum message_origin origin, const char *data);
/* It is published by that shard, and nobody waits to hear of it. */
void case_publish(uint32_t from, struct message *message);
/* A query of a backend on that shard. */
struct query *case_query(uint32_t from, enum query_kind kind, const char *channel);
/* It is asked. */
void case_send(struct query *query);
/* A publish with a key, of a backend or a client; key NULL: none. */
struct query *case_query_publish(uint32_t from, struct message *message, enum query_asker asker, const char *key);
/* Events "3", "4", "5" from `first` to `end`, each of which is answered; the position of the last. */
struct position case_publish_numbers(uint32_t from, const char *channel, uint32_t first, uint32_t end);

/* ---- out ---- */

/* The next letter to that shard. */
struct letter case_next(uint32_t to);
/* The next is a SUBSCRIBED, which this is; the test's. */
struct join *case_joined(uint32_t to);
/* The next is the ANSWER to this query, with this code; the query is gone then, and this was its text. Static. */
const char *case_answered(struct query *query, enum rc rc);
/* The next is a DELIVER: the payload of its frame of that form, "" if it has none of it, and "-" if no letter came at
 * all. Static, for several at a time. */
const char *case_heard_in(uint32_t to, enum form form);
const char *case_heard(uint32_t to); /* FORM_EVENT */
/* The payloads of the greeting, a line for each; "" for none. Static. */
const char *case_greeting(const struct join *join);
void expect_silence(void); /* no letter to anybody */

/* What backends were told since this was asked last: "channel_occupied:a member_added:presence-a/ann ". Static. */
const char *case_hooks(void);

/* ---- the store ---- */

/* The store may have something of that channel, from before the home began. */
void case_stored(const char *channel);
/* The next job that it was asked; NULL: none. The test fills its answer in, and: */
struct store_job *case_job(void);
/* The job is done. */
void case_done(struct store_job *job, enum rc rc);
extern bool case_store_is_full; /* it takes no job */
