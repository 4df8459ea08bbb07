/* server/cluster/people_send.h - how people.c and what belongs to it ask Redis and tell backends. */
#pragma once

#include "server/cluster/cluster_key.h"
#include "server/cluster/people_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Something is to be done for it. */
void people_activate(struct people *people, struct people_channel *channel);

/* NULL: out of memory. `channel` may be NULL. */
struct people_request *people_request_new(struct people *people, struct people_channel *channel,
                                          people_request_answer *answer, uint32_t asks_max);
/* Sends it; it is freed when its answer was taken. False: not sent, the caller frees it. */
bool people_ask(struct people_request *request, const struct text *words, size_t count);
/* Is the answer lost, or an error? Of that the log says what Redis refuses. */
bool people_has_failed(const char *what, const redisReply *reply);

/* The node's name. */
struct text people_node_of(const struct people *people);
/* Of the channel; `to` has CLUSTER_KEY_BYTES_MAX. */
struct text people_key_of(const struct people *people, char *to, enum cluster_key kind,
                          const struct people_channel *channel);
struct people_keys {
    char members[CLUSTER_KEY_BYTES_MAX];
    char pushes[CLUSTER_KEY_BYTES_MAX];
};
struct script_member people_script_args(const struct people *people, struct people_keys *keys, enum cluster_key kind,
                                        const struct people_channel *channel);
/* Into the set of the node's channels, or out of it. False: it cannot be sent. */
bool people_note(struct people *people, struct people_channel *channel, bool is_noted);

/* Backends are told by this node. */
void people_tell_news(struct people *people, struct text app, const struct name *name, enum webhook_kind kind,
                      struct text user_id, uint64_t count);
/* What a change of one node's number made of the sum. */
void people_tell_sums(struct people *people, struct text app, const struct name *name, uint64_t before,
                      uint64_t after);

/* "" for what is no text. */
struct text people_text_of(const redisReply *reply);
/* SSCAN and HSCAN answer a cursor and a list; the list. NULL: it is something else. */
const redisReply *people_scanned(const redisReply *reply, char cursor_r[PEOPLE_CURSOR_BYTES]);
/* Is there nothing behind it? */
bool people_is_end(const char *cursor);
