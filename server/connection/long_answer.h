/* server/connection/long_answer.h - answers that are as long as they are: lists of members, what was missed,
 * pages of history.
 *
 * A reader cannot be blamed for the length of what it asked for, so these do not count as what makes it slow; but one
 * who takes nothing of them for outbox_age_ms_max is closed, whatever it says meanwhile. In
 * return one connection has one at a time: while its question is under way, or more than LONG_ANSWER_FREE_BYTES of
 * answers wait in its outbox, its next such question waits unread, and all behind it. And all that wait on a shard have
 * a bound (answers_bytes_max): beyond it questions wait unread too, and go on in their order as answers leave.
 * Threads: the shard's. */
#pragma once

#include "core/rc.h"

#include <stdint.h>

#define LONG_ANSWER_FREE_BYTES (64 * 1024)        /* of answers may wait while a connection asks for more */
#define LONG_ANSWER_BYTES_MAX  (64 * 1024 * 1024) /* of answers are not held against a reader */

struct connection;
struct payload;
struct shard;

/* May the connection ask for what may be long? RC_PENDING: the message that asks, which has just been taken, whole,
 * went back to be taken again later, and nothing else is read until then. RC_ENOMEM: it is lost, so the connection is
 * to be closed. */
enum rc long_answer_may_ask(struct shard *shard, struct connection *connection, const struct payload *payload);
/* The connection has asked for what may be long: long_answer_came() follows, unless it ends before. */
void long_answer_asked(struct shard *shard, struct connection *connection);
/* The answer to the connection's question has come, or there will be none; what is said of it has been said. */
void long_answer_came(struct shard *shard, struct connection *connection);

/* So many bytes of an answer are at the outbox's end (connection_say_long()). */
void long_answer_said(struct shard *shard, struct connection *connection, uint32_t bytes);
/* A control frame went into the outbox ahead of an answer, which has so many bytes more, or fewer, before it. */
void long_answer_behind(struct shard *shard, struct connection *connection, int64_t bytes);
/* So many bytes have left the connection's outbox, which is marked OUTBOX_LONG; may be called while sends are
 * queued. */
void long_answer_went(struct connection *connection, uint64_t bytes);
/* If the answers have left, the connection may ask on; to be called while no send is queued. */
void long_answer_settle(struct shard *shard, struct connection *connection);
/* The connection's outbox was cleared, but perhaps for a batch that was begun. */
void long_answer_cleared(struct shard *shard, struct connection *connection);

/* Once a turn: those who waited for others' answers to leave go on, as many as have room. */
void long_answers_go_on(struct shard *shard);
